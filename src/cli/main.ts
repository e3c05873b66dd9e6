import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { type GivenSettings, settingNames, SETTINGS, VERSION } from "../agent/mod.ts";
import { runPostRenderer } from "../deploy/mod.ts";
import { agentCommand, AgentFailed } from "./agent_command.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { OUTPUT_FORMATS } from "./output.ts";
import { addPackage } from "./package_command.ts";
import { statusCommand } from "./status_command.ts";
import { errorLine, systemTerminal, type Terminal } from "./terminal.ts";
import { zarfCommand } from "./zarf_command.ts";

/** The largest text that Helm renders and hands over, in bytes. */
const MAX_RENDERED = 64 << 20;

/** Runs the command line and gives the process's exit code. */
export async function main(
  argv: readonly string[],
  terminal: Terminal = systemTerminal,
): Promise<number> {
  try {
    // Not a command of the program: its arguments are Zarf's, and no help of ours goes with them.
    if (argv[0] === "zarf") await zarfCommand(argv.slice(1), Deno.env.toObject(), terminal);
    else await buildProgram(terminal).parseAsync([...argv], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse;
    }
    if (error instanceof AgentFailed) return exitCodeOf(error.cause);
    terminal.err(errorLine(error));
    return exitCodeOf(error);
  }
}

function buildProgram(terminal: Terminal): Command {
  const program = new Command("holdfast")
    .description("Deploys Zarf packages on disconnected clusters with nobody there")
    .version(VERSION, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
    })
    .showHelpAfterError("(see holdfast --help)");
  addAgent(program, terminal);
  program.command("status")
    .description("how the agent on this node is, and its packages")
    .option("--status-address <HOST:PORT>", "where the agent's status page is", "127.0.0.1:7472")
    .addOption(
      new Option("-o, --output <FORMAT>", "how it is printed")
        .choices(OUTPUT_FORMATS)
        .default("table" as const),
    )
    .action((options) => statusCommand(options.statusAddress, options.output, terminal));
  addPackage(program, terminal);
  program.command("version")
    .description("print the version")
    .action(() => terminal.out(`${VERSION}\n`));
  program.command("post-render", { hidden: true })
    .description("between Helm's output and its input; called by Helm only")
    .action(async () => terminal.out(runPostRenderer(await readInput(), Deno.env.toObject())));
  return program;
}

function addAgent(program: Command, terminal: Terminal): void {
  const command: Command = new Command("agent")
    .copyInheritedSettings(program)
    .description("run the agent of this node until it is told to stop")
    .option("--config <FILE>", "YAML file with the settings below as keys")
    .option("--print-config", "print the settings and where each came from, and end");
  for (const name of settingNames()) {
    const { value, text, repeatable } = SETTINGS[name];
    const option = new Option(`--${name} <${value}>`, repeatable ? `${text} (repeatable)` : text);
    if (repeatable) option.argParser(collect);
    command.addOption(option);
  }
  command.action(async (options: Readonly<Record<string, unknown>>) => {
    const { config, printConfig, ...rest } = options;
    await agentCommand({
      flags: flagsOf(rest),
      printConfig: printConfig === true,
      ...(typeof config === "string" ? { config } : {}),
    }, terminal);
  });
  program.addCommand(command);
}

function collect(value: string, earlier: string[] | undefined): string[] {
  return [...earlier ?? [], value];
}

function flagsOf(options: Readonly<Record<string, unknown>>): GivenSettings {
  const given: GivenSettings = {};
  for (const name of settingNames()) {
    const camel = name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const value = options[camel];
    if (typeof value === "string" || Array.isArray(value)) given[name] = value;
  }
  return given;
}

async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of Deno.stdin.readable) {
    held += chunk.length;
    if (held > MAX_RENDERED) throw new Error(`more than ${MAX_RENDERED} bytes were rendered`);
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}
