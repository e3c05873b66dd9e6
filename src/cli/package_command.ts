import { Command, Option } from "@commander-js/extra-typings";
import { besideExecutable, readTrustedKeys, SettingsError } from "../agent/mod.ts";
import type { TrustedKey } from "../package/mod.ts";
import { inspectDefinition, inspectDigest } from "./inspect_definition.ts";
import { inspectDocumentation, inspectSbom } from "./inspect_files.ts";
import { inspectImages } from "./inspect_images.ts";
import { givenValues, helmIn, inspectManifests, inspectValuesFiles } from "./inspect_manifests.ts";
import {
  components,
  documents,
  output,
  outputDir,
  PACKAGE,
  setValues,
  setVariables,
  splitList,
  toolsDir,
  trustKey,
  valuesFiles,
} from "./package_options.ts";
import { addPlan } from "./plan_command.ts";
import type { Terminal } from "./terminal.ts";
import { verifyCommand } from "./verify_command.ts";

/**
 * Adds `package verify`, `package plan` and `package inspect …`. Names and meanings are those of `zarf package`
 * (Zarf 0.84, src/cmd/package.go); flags are those of the other commands here.
 */
export function addPackage(program: Command, terminal: Terminal): void {
  const command = program.command("package")
    .description("look at a package file; needs no agent, and only `plan` a cluster");
  addVerify(command, terminal);
  addPlan(command, terminal);
  const inspect = command.command("inspect").description("print what a package holds");
  addDefinition(inspect, terminal);
  addImages(inspect, terminal);
  addManifests(inspect, terminal);
  addValuesFiles(inspect, terminal);
  addSbom(inspect, terminal);
  addDocumentation(inspect, terminal);
  addDigest(inspect, terminal);
}

function addVerify(parent: Command, terminal: Terminal): void {
  parent.command("verify")
    .description("read a package as the agent does, and say whether it would take it")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(
      new Option("--architecture <NAME>", "processor of the node (default: the package's own)")
        .choices(["amd64", "arm64"] as const),
    )
    .addOption(output("table"))
    .action((path, { output, trustKey, architecture }) =>
      verifyCommand(path, output, {
        ...readWith(trustKey, terminal),
        ...(architecture === undefined ? {} : { architecture }),
      })
    );
}

function addDefinition(parent: Command, terminal: Terminal): void {
  parent.command("definition")
    .description("the definition, zarf.yaml; as a table what is known of the package")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(output("yaml"))
    .action((path, { output, trustKey }) =>
      inspectDefinition(path, output, readWith(trustKey, terminal))
    );
}

function addImages(parent: Command, terminal: Terminal): void {
  parent.command("images")
    .description("the images, with their platforms, sizes and digests")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(output("table"))
    .action((path, { output, trustKey }) =>
      inspectImages(path, output, readWith(trustKey, terminal))
    );
}

function addManifests(parent: Command, terminal: Terminal): void {
  parent.command("manifests")
    .description("the objects as they would be deployed: charts, manifests, kustomizations")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(components())
    .addOption(setVariables())
    .addOption(valuesFiles())
    .addOption(setValues())
    .option("--kube-version <VERSION>", "of the cluster, for charts that ask")
    .addOption(toolsDir())
    .addOption(documents())
    .action((path, { output, trustKey, kubeVersion, ...site }) =>
      inspectManifests(
        path,
        { ...readWith(trustKey, terminal), format: output, ...filledWith(site) },
        kubeVersion === undefined ? {} : { kubeVersion },
      )
    );
}

/** What stands in for the settings that a site has for a package. */
interface SiteFlags {
  readonly components?: string[];
  readonly setVariables?: Record<string, string>;
  readonly values?: string[];
  readonly setValues?: Record<string, string>;
  readonly toolsDir?: string;
}

function filledWith({ components, setVariables, values = [], setValues, toolsDir }: SiteFlags) {
  return {
    components: components ?? [],
    variables: setVariables ?? {},
    values: givenValues(values, setValues ?? {}),
    helm: helmIn(toolsDir ?? besideExecutable("tools")),
  };
}

function addValuesFiles(parent: Command, terminal: Terminal): void {
  parent.command("values-files")
    .description("the values that each chart would be given, later ones over earlier ones")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(components())
    .addOption(setVariables())
    .addOption(valuesFiles())
    .addOption(setValues())
    .addOption(toolsDir())
    .addOption(documents())
    .action((path, { output, trustKey, ...site }) =>
      inspectValuesFiles(path, {
        ...readWith(trustKey, terminal),
        format: output,
        ...filledWith(site),
      })
    );
}

function addSbom(parent: Command, terminal: Terminal): void {
  parent.command("sbom")
    .description("write the SBOMs (software bills of materials) to a directory")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(outputDir("<package>"))
    .addOption(output("table"))
    .action((path, { output, trustKey, outputDir }) =>
      inspectSbom(path, { ...readWith(trustKey, terminal), format: output, outputDir })
    );
}

function addDocumentation(parent: Command, terminal: Terminal): void {
  parent.command("documentation")
    .description("write the documentation to a directory")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(
      new Option("--keys <LIST>", "of the documents, with commas between (default: all)")
        .argParser(splitList),
    )
    .addOption(outputDir("<package>-documentation"))
    .addOption(output("table"))
    .action((path, { output, trustKey, outputDir, keys }) =>
      inspectDocumentation(path, keys ?? [], {
        ...readWith(trustKey, terminal),
        format: output,
        outputDir,
      })
    );
}

function addDigest(parent: Command, terminal: Terminal): void {
  parent.command("digest")
    .description("the digest of the package as an OCI artifact, which Zarf knows it by")
    .argument(...PACKAGE)
    .addOption(trustKey())
    .addOption(output("table"))
    .action((path, { output, trustKey }) =>
      inspectDigest(path, output, readWith(trustKey, terminal))
    );
}

function readWith(trustKeys: readonly string[] | undefined, terminal: Terminal) {
  return { trust: trustedKeys(trustKeys ?? []), terminal };
}

function trustedKeys(files: readonly string[]): TrustedKey[] {
  try {
    return readTrustedKeys(files);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    // What it says was kept is what the agent keeps.
    const { reason, message, remedy = "" } = error;
    throw new SettingsError({ reason, message, kept: "the package was not read", remedy });
  }
}
