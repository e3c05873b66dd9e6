/**
 * `deno task cluster up|down|status|kubectl|exec|install`.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { complain, printLine } from "../../extension/build/task.ts";
import { describeError } from "../../src/std/mod.ts";
import { Cluster, installSystemPackages, layoutOf, leftovers } from "./mod.ts";

const DEFAULT_NAME = "holdfast";

const program = new Command("cluster")
  .description("A real Kubernetes cluster for tests, in namespaces of this machine")
  .enablePositionalOptions();

program.command("up")
  .description("start a cluster and wait until its nodes are Ready")
  .option("--name <name>", "its name", DEFAULT_NAME)
  .option("--nodes <count>", "how many nodes", Number, 1)
  .option("--control-planes <count>", "how many of them carry the control plane", Number, 1)
  .option("--mirror", "send every image pull to 127.0.0.1:31999")
  .option("--logs-dir <dir>", "keep the logs there")
  .option("--install", "first install missing Debian packages")
  .action(async (options) => {
    if (options.install) await installSystemPackages();
    const abort = new AbortController();
    const stop = () => abort.abort(new Error("interrupted"));
    Deno.addSignalListener("SIGINT", stop);
    Deno.addSignalListener("SIGTERM", stop);
    const cluster = await Cluster.up({
      name: options.name,
      nodes: options.nodes,
      controlPlanes: options.controlPlanes,
      registryMode: options.mirror ? "mirror" : "plain",
      ...(options.logsDir === undefined ? {} : { logsDir: options.logsDir }),
      signal: abort.signal,
      say: complain,
    });
    printLine(`KUBECONFIG=${cluster.kubeconfig()}`);
  });

program.command("down")
  .description("remove a cluster and whatever it left")
  .option("--name <name>", "its name", DEFAULT_NAME)
  .action((options) => Cluster.down(options.name));

program.command("status")
  .description("show nodes, daemons and packets sent outside; fails when something is wrong")
  .option("--name <name>", "its name", DEFAULT_NAME)
  .action(async (options) => {
    Deno.exitCode = await showStatus(options.name) ? 0 : 1;
  });

program.command("kubectl")
  .description("run the real kubectl as administrator")
  .option("--name <name>", "the cluster's name", DEFAULT_NAME)
  .passThroughOptions()
  .allowUnknownOption()
  .argument("[args...]")
  .action(async (args, options) => {
    const cluster = await Cluster.attach(options.name);
    const child = new Deno.Command(cluster.plan.tools.kube, {
      args: ["kubectl", "--kubeconfig", cluster.kubeconfig(), ...args],
    }).spawn();
    Deno.exitCode = (await child.status).code;
  });

program.command("exec")
  .description("run a command in a node")
  .option("--name <name>", "the cluster's name", DEFAULT_NAME)
  .passThroughOptions()
  .allowUnknownOption()
  .argument("<node>")
  .argument("<command...>")
  .action(async (nodeName, command, options) => {
    const cluster = await Cluster.attach(options.name);
    const node = cluster.nodes.find((candidate) => candidate.name === nodeName);
    if (node === undefined) throw new Error(`there is no ${nodeName}`);
    const child = new Deno.Command("nsenter", {
      args: ["-t", String(node.pid), "-m", "-n", "-p", "-u", "-i", "--", ...command],
    }).spawn();
    Deno.exitCode = (await child.status).code;
  });

program.command("install")
  .description("install the Debian packages that the cluster needs")
  .action(async () => {
    const installed = await installSystemPackages();
    printLine(installed.length === 0 ? "nothing to install" : `installed ${installed.join(" ")}`);
  });

/** Whether everything runs as it should. */
async function showStatus(name: string): Promise<boolean> {
  const left = await leftovers(layoutOf(name));
  if (left.length === 0) {
    printLine(`${name}: down`);
    return false;
  }
  const cluster = await Cluster.attach(name);
  const ready = await cluster.readyNodes().catch((): string[] => []);
  let well = true;
  for (const node of cluster.nodes) {
    const isReady = ready.includes(node.name);
    well &&= isReady;
    printLine(`${node.name}  ${node.ip}  ${node.isOn ? (isReady ? "Ready" : "not Ready") : "off"}`);
    if (!node.isOn) continue;
    for (const process of await node.processes()) {
      const end = process.signal === 0 ? `code ${process.code}` : `signal ${process.signal}`;
      const state = process.running ? "running" : `ended with ${end}`;
      const again = process.restarts === 0 ? "" : `, started again ${process.restarts} times`;
      well &&= process.running;
      printLine(`  ${process.name.padEnd(20)} ${state}${again}  ${node.logPath(process.name)}`);
    }
  }
  printLine(`packets to outside: ${await cluster.outsidePackets()}`);
  return well;
}

try {
  await program.parseAsync(Deno.args, { from: "user" });
  Deno.exit();
} catch (error) {
  complain(`cluster: ${describeError(error)}`);
  Deno.exit(1);
}
