import { load } from "js-yaml";
import * as v from "valibot";
import { TOOLS } from "../../../extension/build/go_tools.ts";
import { SERVICE_NAME } from "../../../extension/build/image/service.ts";
import { SITE_CONFIG } from "../../../src/cli/mod.ts";
import { exec } from "../../../src/std/mod.ts";
import { withDirectory } from "../../fakes/testing.ts";
import { HOLDFAST } from "./agent.ts";
import { askTool } from "./ask_tool.ts";

/** Patches to a machine configuration of Talos, in the order in which they are applied. */
export interface TalosPatches {
  readonly type: "controlplane" | "worker";
  /** Each one or more YAML documents. */
  readonly patches: readonly string[];
}

/** A registry's mirrors. */
interface TalosMirror {
  readonly endpoints: readonly { readonly url: string; readonly overridePath: boolean }[];
  readonly skipFallback: boolean;
}

/** What Talos reads in a configuration of what concerns Holdfast. */
export interface TalosConfig {
  readonly services: readonly {
    readonly name: string;
    /** Content by the path that it is mounted at. */
    readonly files: Readonly<Record<string, string>>;
    readonly environment: readonly string[] | null;
  }[];
  readonly mirrors: Readonly<Record<string, TalosMirror>>;
  readonly volumes: readonly {
    readonly name: string;
    readonly kind: "user" | "existing";
    readonly type?: string;
    readonly readOnly?: boolean;
  }[];
  readonly kubeletMounts:
    | readonly { readonly source: string; readonly destination: string }[]
    | null;
  readonly time: { readonly disabled: boolean; readonly servers: readonly string[] | null };
  readonly discovery: boolean;
  readonly scheduling: boolean;
}

/** That Talos refuses it: at which step, and with which words. */
export interface TalosRefusal {
  readonly step: "load" | "apply" | "read" | "validate";
  readonly error: string;
}

/** Asks Talos' own code, in the order of the questions. */
export async function askTalosConfig(
  questions: readonly TalosPatches[],
): Promise<(TalosConfig | TalosRefusal)[]> {
  return await askTool(TOOLS.talosConfig, questions) as (TalosConfig | TalosRefusal)[];
}

/** Where Talos mounts volumes that are not its own. */
const VOLUMES = "/var/mnt";
/** How long the agent may take to print its settings, in milliseconds. */
const PRINT_TIMEOUT = 30_000;

const PrintedSettings = v.looseObject({
  "drop-dir": v.array(v.string()),
  "data-dir": v.string(),
  "registry-address": v.string(),
  "image-mode": v.string(),
  "trust-key": v.array(v.string()),
  "bootstrap-etcd": v.optional(v.string()),
  "bootstrap-control-planes": v.array(v.string()),
  kubeconfig: v.optional(v.string()),
});
type PrintedSettings = v.InferOutput<typeof PrintedSettings>;

/** What Talos would take without a word, and would not do what it is meant to; nothing when all is well. */
export async function oversights(config: TalosConfig): Promise<string[]> {
  const service = config.services.find(({ name }) => name === SERVICE_NAME);
  if (service === undefined) return [`no document is for the service ${SERVICE_NAME}`];
  const text = service.files[SITE_CONFIG];
  if (text === undefined) return [`nothing is mounted at ${SITE_CONFIG}`];
  const settings = await readByAgent(text, service.environment ?? []);
  if (typeof settings === "string") return [settings];
  return [
    ...volumeOversights(config, settings),
    ...mirrorOversights(config, settings),
    ...settings["trust-key"].filter((path) => service.files[path] === undefined)
      .map((path) => `the key ${path} is not mounted`),
  ];
}

/** The settings that the agent comes to, or what it says when it does not take them. */
export async function readByAgent(
  text: string,
  environment: readonly string[] = [],
): Promise<PrintedSettings | string> {
  return await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/agent.yaml`, text);
    const { code, stdout, stderr } = await exec(HOLDFAST, {
      args: ["agent", "--config", `${dir}/agent.yaml`, "--print-config"],
      env: Object.fromEntries(environment.map((line) => line.split(/=(.*)/s, 2))),
      timeout: PRINT_TIMEOUT,
    });
    return code === 0 ? v.parse(PrintedSettings, load(stdout)) : stderr;
  });
}

function volumeOversights(config: TalosConfig, settings: PrintedSettings): string[] {
  const drops = settings["drop-dir"];
  const data = settings["data-dir"];
  const unread = config.volumes.map(({ name }) => `${VOLUMES}/${name}`)
    .filter((path) => !drops.includes(path));
  const written = config.volumes.filter(({ readOnly }) => readOnly !== true)
    .map(({ name }) => `${VOLUMES}/${name}`);
  const mounted = config.kubeletMounts?.some(({ source, destination }) =>
    source === data && destination === data
  );
  return [
    ...unread.map((path) => `no package is looked for in ${path}`),
    ...(drops.some((path) => written.includes(path)) ? [] : ["no drop directory is a volume"]),
    ...(mounted === true ? [] : [`the kubelet does not see ${data}`]),
  ];
}

function mirrorOversights(config: TalosConfig, settings: PrintedSettings): string[] {
  const registry = `http://${settings["registry-address"]}`;
  const mirrors = Object.entries(config.mirrors);
  const wanting = settings["image-mode"] === "mirror" && config.mirrors["*"] === undefined;
  return [
    ...(wanting ? ["the image mode is mirror, and there is no mirror"] : []),
    ...mirrors.flatMap(([host, { endpoints, skipFallback }]) => [
      ...endpoints.filter(({ url }) => url !== registry)
        .map(({ url }) => `images of ${host} are asked of ${url}, not of ${registry}`),
      ...endpoints.filter(({ overridePath }) => overridePath)
        .map(() => `images of ${host} are asked for without /v2/`),
      ...(skipFallback ? [] : [`images of ${host} are looked for outside, too`]),
    ]),
  ];
}
