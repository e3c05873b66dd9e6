import { type Command, Option } from "@commander-js/extra-typings";
import { type GivenSettings, SETTINGS } from "../agent/mod.ts";
import {
  collect,
  output,
  PACKAGE,
  setValues,
  setVariables,
  toolsDir,
  trustKey,
  valuesFiles,
} from "./package_options.ts";
import { planPackage } from "./package_plan.ts";
import type { Terminal } from "./terminal.ts";

/** Adds `package plan`, whose flags are the agent's and Zarf's. */
export function addPlan(parent: Command, terminal: Terminal): void {
  parent.command("plan")
    .description("what deploying a package would do on a cluster; nothing is written to it")
    .argument(...PACKAGE)
    .option("--kubeconfig <FILE>", "how to reach the cluster")
    .option("--config <FILE>", "the agent's configuration, `packages` in it included")
    .addOption(trustKey())
    .option("--components <LIST>", "as Zarf's: names and patterns with commas, `-` leaves out")
    .addOption(setVariables())
    .addOption(valuesFiles())
    .addOption(setValues())
    .option("--actions <POLICY>", SETTINGS.actions.text)
    .addOption(
      new Option("--files-root <DIR>", `${SETTINGS["files-root"].text} (repeatable)`)
        .argParser(collect),
    )
    .option("--image-mode <MODE>", SETTINGS["image-mode"].text)
    .addOption(toolsDir())
    .addOption(output("table"))
    .action((path, options) =>
      planPackage(path, {
        flags: given({
          kubeconfig: options.kubeconfig,
          "trust-key": options.trustKey,
          actions: options.actions,
          "files-root": options.filesRoot,
          "image-mode": options.imageMode,
          "tools-dir": options.toolsDir,
        }),
        ...(options.config === undefined ? {} : { config: options.config }),
        components: options.components ?? "",
        variables: options.setVariables ?? {},
        values: options.values ?? [],
        setValues: options.setValues ?? {},
        format: options.output,
        terminal,
      })
    );
}

function given(
  settings: { readonly [Name in keyof GivenSettings]: GivenSettings[Name] | undefined },
): GivenSettings {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  );
}
