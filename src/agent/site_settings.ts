import * as v from "valibot";
import type { GoTemplates, SiteSettings } from "../deploy/mod.ts";
import { parseOutcome } from "../drop/mod.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";
import {
  type BesidePackage,
  BesidePackageSchema,
  type DeploySettings,
  readFile,
  SiteSettingsReader,
} from "./site_settings_reader.ts";

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
  readonly #reader: SiteSettingsReader;

  constructor(options: SiteSettingsOptions) {
    this.#options = options;
    this.#reader = new SiteSettingsReader(options.templates);
  }

  /**
   * The settings to deploy a package with, as they are now; remembers that it was with them.
   *
   * @throws {DeployError} `SettingsInvalid`.
   */
  async begin(record: PackageRecord): Promise<DeploySettings> {
    const found = await this.#reader.beside(this.#dropped().get(record.digest) ?? []);
    if (found !== undefined) this.#keep(record, found);
    const { records } = this.#options.store;
    records.setValue(deployedKey(record.digest), this.#fingerprint(record));
    return await this.#reader.settings(
      this.#options.configured[record.name],
      this.#kept(record.digest),
    );
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
    const found = await this.#reader.beside(paths);
    const text = found === undefined ? undefined : JSON.stringify(found);
    if (text === undefined) this.#seen.delete(record.digest);
    else if (this.#seen.get(record.digest) !== text) this.#seen.set(record.digest, text);
    else if (found !== undefined) this.#keep(record, found);
  }

  #keep({ digest }: PackageRecord, found: BesidePackage): void {
    const { records } = this.#options.store;
    if (JSON.stringify(this.#kept(digest)) === JSON.stringify(found)) return;
    records.setValue(keptKey(digest), found);
  }

  #kept(digest: Digest): BesidePackage | undefined {
    const parsed = v.safeParse(
      BesidePackageSchema,
      this.#options.store.records.getValue(keptKey(digest)),
    );
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
}

/** Where the store keeps what lay beside a package. */
function keptKey(digest: Digest): string {
  return `site-settings/${digest}`;
}

/** Where the store keeps with which settings a package was deployed. */
function deployedKey(digest: Digest): string {
  return `site-settings-deployed/${digest}`;
}
