import * as v from "valibot";
import {
  type GoTemplates,
  invalidSettings,
  MAX_SETTINGS_FILE,
  mergeSiteSettings,
  NO_SETTINGS,
  parseZarfConfig,
  readSettingsText,
  type SiteInputs,
  type SiteSettings,
  siteValues,
} from "../deploy/mod.ts";
import { parseOutcome } from "../drop/mod.ts";
import { describeError, type Digest, digestOf, dirname } from "../std/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";

/** The ends of a settings file's name, after the whole name of the package file. */
const SIDECAR_ENDS = [".config.yaml", ".config.yml", ".config.json", ".config.toml"] as const;

/** How many TOML files are remembered. */
const MAX_TOML_FILES = 20;

const keptFile = v.object({ name: v.string(), text: v.string() });
const keptSchema = v.object({
  /** The settings file. */
  file: keptFile,
  /** The values files that it names. */
  values: v.array(keptFile),
  /** Why they cannot be used, where that was found when they were read. */
  problem: v.exactOptional(v.string()),
});
/** What lay beside a package, as the store keeps it; it may hold secrets. */
type Kept = v.InferOutput<typeof keptSchema>;

/** What one deployment is given. */
export interface DeploySettings extends SiteInputs {
  /** Milliseconds for each release. */
  readonly timeout?: number;
}

/** What {@linkcode SiteSettingsBook} works with. */
export interface SiteSettingsOptions {
  readonly store: Store;
  /** The agent's own configuration, by the package's name; values files are absolute paths. */
  readonly configured: Readonly<Record<string, SiteSettings>>;
  /** What reads TOML. @throws while the program for it is not there. */
  readonly templates: () => GoTemplates;
}

/**
 * What the site has decided about packages: in the agent's configuration, and in a file beside the
 * dropped package, which is kept in the store, so that it holds when the medium is gone. Removing the
 * file changes nothing; changing it is a wish to deploy anew.
 */
export class SiteSettingsBook {
  readonly #options: SiteSettingsOptions;
  /** What the last look found, by package: what is being copied looks different at the next one. */
  readonly #seen = new Map<Digest, string>();
  /** TOML files that were read: reading one starts a program. */
  readonly #toml = new Map<string, SiteSettings>();

  constructor(options: SiteSettingsOptions) {
    this.#options = options;
  }

  /**
   * The settings to deploy a package with, as they are now; remembers that it was with them.
   *
   * @throws {DeployError} `SettingsInvalid`.
   */
  async begin(record: PackageRecord): Promise<DeploySettings> {
    const found = await this.#read(this.#dropped().get(record.digest) ?? []);
    if (found !== undefined) this.#keep(record, found);
    const { records } = this.#options.store;
    records.setValue(deployedKey(record.digest), this.#fingerprint(record));
    const configured = this.#options.configured[record.name] ?? NO_SETTINGS;
    const kept = this.#kept(record.digest);
    if (kept?.problem !== undefined) throw invalidSettings(kept.file.name, kept.problem);
    const beside = kept === undefined ? NO_SETTINGS : await this.#parse(kept.file);
    const settings = mergeSiteSettings(configured, beside);
    const files = beside.valuesFiles.length > 0
      ? kept?.values ?? []
      : configured.valuesFiles.map((name) => readOrThrow(name));
    const texts = files.map(({ text }) => text);
    const { components, variables, skipValuesSchema, timeout } = settings;
    return {
      ...{ components, variables, skipValuesSchema, values: siteValues(texts, settings.setValues) },
      ...(timeout === undefined ? {} : { timeout }),
    };
  }

  /** What tells the settings that a package was begun with from others; empty where there were none. */
  begunWith(digest: Digest): string {
    return v.parse(
      v.optional(v.string(), ""),
      this.#options.store.records.getValue(deployedKey(digest)),
    );
  }

  /**
   * Looks beside the files of all packages that are wanted, and gives those that were deployed with
   * other settings than they have now.
   */
  async look(records: readonly PackageRecord[]): Promise<PackageRecord[]> {
    const dropped = this.#dropped();
    for (const record of records) {
      if (record.state === "superseded") this.#forget(record.digest);
      else await this.#look(record, dropped.get(record.digest) ?? []);
    }
    return records.filter((record) =>
      record.state !== "superseded" &&
      this.begunWith(record.digest) !== this.#fingerprint(record)
    );
  }

  async #look(record: PackageRecord, paths: readonly string[]): Promise<void> {
    const found = await this.#read(paths);
    const text = found === undefined ? undefined : JSON.stringify(found);
    if (text === undefined) this.#seen.delete(record.digest);
    else if (this.#seen.get(record.digest) !== text) this.#seen.set(record.digest, text);
    else if (found !== undefined) this.#keep(record, found);
  }

  #keep({ digest }: PackageRecord, found: Kept): void {
    const { records } = this.#options.store;
    if (JSON.stringify(this.#kept(digest)) === JSON.stringify(found)) return;
    records.setValue(keptKey(digest), found);
  }

  #kept(digest: Digest): Kept | undefined {
    const parsed = v.safeParse(keptSchema, this.#options.store.records.getValue(keptKey(digest)));
    return parsed.success ? parsed.output : undefined;
  }

  /** Nobody deploys it any more, and there may be secrets in it. */
  #forget(digest: Digest): void {
    const { records } = this.#options.store;
    for (const key of [keptKey(digest), deployedKey(digest)]) {
      if (records.getValue(key) !== undefined) records.setValue(key, undefined);
    }
  }

  /** Of what the settings are now; empty where there are none. */
  #fingerprint(record: PackageRecord): string {
    const configured = this.#options.configured[record.name];
    const files = configured?.valuesFiles.map((name) => readFile(name).text);
    const kept = this.#kept(record.digest);
    if (configured === undefined && kept === undefined) return "";
    return digestOf(new TextEncoder().encode(JSON.stringify([configured, files, kept])));
  }

  /** Where each accepted package was dropped. */
  #dropped(): Map<string, string[]> {
    const paths = new Map<string, string[]>();
    for (const { path, outcome } of this.#options.store.records.listDrops()) {
      const known = parseOutcome(outcome);
      if (known?.phase !== "Accepted") continue;
      paths.set(known.digest, [...paths.get(known.digest) ?? [], path]);
    }
    return paths;
  }

  /** What lies beside the first of the dropped files that has something beside it. */
  async #read(paths: readonly string[]): Promise<Kept | undefined> {
    for (const path of paths) {
      const there = SIDECAR_ENDS.map((end) => path + end).filter(isFile);
      const [first] = there;
      if (first !== undefined) return await this.#readBeside(first, there);
    }
    return undefined;
  }

  async #readBeside(path: string, there: readonly string[]): Promise<Kept> {
    const { text, problem } = readFile(path);
    const file = { name: basename(path), text };
    const none = { file, values: [] };
    if (there.length > 1) {
      return { ...none, problem: `there are others: ${there.slice(1).map(basename).join(", ")}` };
    }
    if (problem !== undefined) return { ...none, problem };
    try {
      const { valuesFiles } = await this.#parse(file);
      const values = valuesFiles.map((name) => ({ name, ...readBeside(dirname(path), name) }));
      const bad = values.find((each) => each.problem !== undefined);
      return {
        file,
        values: values.map(({ name, text }) => ({ name, text })),
        ...(bad?.problem === undefined ? {} : { problem: `${bad.name}: ${bad.problem}` }),
      };
    } catch {
      // Said when it is deployed, by the same parser.
      return none;
    }
  }

  async #parse({ name, text }: { readonly name: string; readonly text: string }) {
    if (!name.endsWith(".toml")) return parseZarfConfig(readSettingsText(text, name), name);
    const known = this.#toml.get(text);
    if (known !== undefined) return known;
    const read = await this.#options.templates().toml(text);
    if ("error" in read) throw invalidSettings(name, read.error);
    const settings = parseZarfConfig(read.value, name);
    if (this.#toml.size >= MAX_TOML_FILES) this.#toml.clear();
    this.#toml.set(text, settings);
    return settings;
  }
}

interface FileText {
  /** Empty when there is a problem. */
  readonly text: string;
  readonly problem?: string;
}

function readBeside(directory: string, name: string): FileText {
  const plain = name !== "" && !name.startsWith("/") && !name.split("/").includes("..");
  if (!plain) return { text: "", problem: "values files must lie beside the package" };
  return readFile(`${directory}/${name}`);
}

function readOrThrow(path: string): FileText {
  const file = readFile(path);
  if (file.problem !== undefined) throw invalidSettings(path, file.problem);
  return file;
}

function readFile(path: string): FileText {
  try {
    const { size } = Deno.statSync(path);
    if (size > MAX_SETTINGS_FILE) {
      return { text: "", problem: `it has ${size} bytes, the limit is ${MAX_SETTINGS_FILE}` };
    }
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path)) };
  } catch (error) {
    return { text: "", problem: `it cannot be read: ${describeError(error)}` };
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Where the store keeps what lay beside a package. */
function keptKey(digest: Digest): string {
  return `site-settings/${digest}`;
}

/** Where the store keeps with which settings a package was deployed. */
function deployedKey(digest: Digest): string {
  return `site-settings-deployed/${digest}`;
}
