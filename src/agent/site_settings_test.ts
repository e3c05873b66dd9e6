import assert from "node:assert/strict";
import { newPackage } from "../../test/fakes/records.ts";
import { loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { DeployError, NO_SETTINGS, type SiteSettings } from "../deploy/mod.ts";
import { digestOf } from "../std/mod.ts";
import { type PackageRecord, Store } from "../store/mod.ts";
import { SiteSettingsBook } from "./site_settings.ts";
import { lookAtSiteSettings, SETTINGS_INTERVAL, watchSiteSettings } from "./site_settings_watch.ts";

const web = (version: string) => newPackage({ digest: digestOf(version), version });

/** A store with a package that was dropped as `<dir>/web.tar.zst`. */
class Site {
  readonly dir: string;
  readonly store: Store;
  readonly log = loggerOf();
  book: SiteSettingsBook;
  changes = 0;

  constructor(dir: string, store: Store, configured: Readonly<Record<string, SiteSettings>> = {}) {
    this.dir = dir;
    this.store = store;
    this.book = this.newBook(configured);
    this.drop("1", "web.tar.zst");
  }

  newBook(configured: Readonly<Record<string, SiteSettings>> = {}): SiteSettingsBook {
    return new SiteSettingsBook({
      store: this.store,
      configured,
      templates: () => assert.fail("nothing is read as TOML"),
    });
  }

  drop(version: string, file: string): PackageRecord {
    const record = this.store.records.putPackage(web(version));
    this.store.records.putDrop({
      ...{ path: `${this.dir}/${file}`, size: 1, mtimeNs: 1n, inode: 1n },
      outcome: { phase: "Accepted", digest: record.digest },
    });
    return record;
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.dir}/${name}`, text);
  }

  record(version = "1"): PackageRecord {
    const record = this.store.records.getPackage(digestOf(version));
    assert.ok(record);
    return record;
  }

  /** Deploys as the reconciler does. */
  async deploy() {
    const settings = await this.book.begin(this.record());
    this.store.records.setPackageState(this.record().digest, "ready");
    return settings;
  }

  async refusal(): Promise<string> {
    try {
      await this.book.begin(this.record());
    } catch (error) {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "SettingsInvalid");
      this.store.records.setPackageState(this.record().digest, "failed");
      return error.message;
    }
    assert.fail("they were taken");
  }

  look(): Promise<void> {
    const onChange = () => void this.changes++;
    return lookAtSiteSettings({ ...this, logger: this.log.logger, onChange });
  }
}

function onSite(
  action: (site: Site) => Promise<void>,
  configured: (dir: string) => Readonly<Record<string, SiteSettings>> = () => ({}),
): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    Deno.mkdirSync(`${dir}/drop`);
    await action(new Site(`${dir}/drop`, store, configured(`${dir}/drop`)));
  });
}

const NOTHING = {
  ...{ components: "", variables: {}, skipValuesSchema: false, values: [], init: {} },
};

for (const end of ["yaml", "yml", "json"]) {
  Deno.test(`settings beside a package are read from .config.${end}`, () =>
    onSite(async (site) => {
      site.write(`web.tar.zst.config.${end}`, '{"package":{"deploy":{"components":"a"}}}');
      assert.deepEqual(await site.deploy(), { ...NOTHING, components: "a" });
    }));
}

Deno.test("without a file and without configuration nobody has decided anything", () =>
  onSite(async (site) => {
    site.write("zarf-config.yaml", "package: {deploy: {components: a}}");
    site.write("other.tar.zst.config.yaml", "package: {deploy: {components: a}}");
    assert.deepEqual(await site.deploy(), NOTHING);
    await site.look();
    assert.equal(site.record().state, "ready");
  }));

Deno.test("files with values come first, single values over them, types as written", () =>
  onSite(async (site) => {
    site.write(
      "web.tar.zst.config.yaml",
      "package: {deploy: {values: [b.yaml, sub/a.yaml], set_values: {x.y: 007}}}",
    );
    site.write("b.yaml", "b: 1\n");
    Deno.mkdirSync(`${site.dir}/sub`);
    site.write("sub/a.yaml", "a: 1\n");
    const { values } = await site.deploy();
    assert.deepEqual(values, [
      { yaml: "b: 1\n" },
      { yaml: "a: 1\n" },
      { set: { path: ".x.y", text: "007", type: "inferred" } },
    ]);
  }));

Deno.test("the settings hold when the medium is gone, also for another process", () =>
  onSite(async (site) => {
    site.write("web.tar.zst.config.yaml", "package: {deploy: {set: {A: secret}, values: v.yaml}}");
    site.write("v.yaml", "v: 1\n");
    await site.deploy();
    Deno.removeSync(site.dir, { recursive: true });
    site.book = site.newBook();
    await site.look();
    await site.look();
    assert.equal(site.record().state, "ready");
    const { variables, values } = await site.deploy();
    assert.deepEqual([variables, values], [{ A: "secret" }, [{ yaml: "v: 1\n" }]]);
  }));

Deno.test("a file that comes or changes is a wish to deploy anew, once it is whole", () =>
  onSite(async (site) => {
    await site.deploy();
    const changes: [name: string, text: string][] = [
      ["web.tar.zst.config.yaml", "package: {deploy: {values: [v.yaml]}}"],
      ["v.yaml", "v: 1"],
      ["v.yaml", "v: 2"],
      ["web.tar.zst.config.yaml", "package: {deploy: {values: [v.yaml], components: a}}"],
    ];
    for (const [name, text] of changes) {
      site.write(name, text);
      await site.look();
      assert.equal(site.record().state, "ready", "it may be half copied");
      await site.look();
      assert.equal(site.record().state, "accepted", text);
      assert.equal(site.record().reason, "SettingsChanged");
      // The first change names a file that is not there yet.
      if (name.endsWith(".config.yaml") && !text.includes("components")) await site.refusal();
      else await site.deploy();
      await site.look();
      assert.notEqual(site.record().state, "accepted", "nothing has changed since");
      site.store.records.setPackageState(site.record().digest, "ready");
    }
    assert.equal(site.changes, changes.length);
  }));

Deno.test("what a package was begun with is told from other settings, and from none", () =>
  onSite(async (site) => {
    const { digest } = site.record();
    const told = [site.book.begunWith(digest)];
    const texts = ["components: a", "components: b", "components: b, timeout: 1m"];
    for (const text of texts) {
      site.write("web.tar.zst.config.yaml", `package: {deploy: {${text}, set: {A: secret}}}`);
      await site.deploy();
      told.push(site.book.begunWith(digest));
      await site.deploy();
      assert.equal(site.newBook().begunWith(digest), told.at(-1), "the same ones");
    }
    assert.equal(told[0], "");
    assert.equal(new Set(told).size, 4);
    assert.doesNotMatch(told.join(), /secret/);
  }));

Deno.test("only a package that is settled is put back", () =>
  onSite(async (site) => {
    await site.deploy();
    site.write("web.tar.zst.config.yaml", "package: {deploy: {components: a}}");
    await site.look();
    for (const state of ["deploying", "superseded"] as const) {
      site.store.records.setPackageState(site.record().digest, state);
      await site.look();
      assert.equal(site.record().state, state);
    }
    for (const state of ["failed", "rolled-back", "ready"] as const) {
      site.store.records.setPackageState(site.record().digest, state);
      await site.look();
      await site.look();
      assert.equal(site.record().state, "accepted", state);
    }
  }));

Deno.test("what was kept for a package that is superseded is removed", () =>
  onSite(async (site) => {
    site.write("web.tar.zst.config.yaml", "package: {deploy: {set: {A: secret}}}");
    await site.deploy();
    const { digest } = site.record();
    site.drop("2", "web-2.tar.zst");
    await site.look();
    assert.ok(site.store.records.getValue(`site-settings/${digest}`), "its successor may fail");
    site.store.records.setPackageState(digest, "superseded");
    await site.look();
    for (const key of ["site-settings", "site-settings-deployed"]) {
      assert.equal(site.store.records.getValue(`${key}/${digest}`), undefined, key);
    }
  }));

Deno.test("an init package is deployed with settings like any other, and not over and over", () =>
  onSite(async (site) => {
    const init = { ...web("3"), name: "init", kind: "ZarfInitConfig" };
    const { digest } = site.store.records.putPackage(init);
    const drop = { path: `${site.dir}/init.tar.zst`, size: 1, mtimeNs: 1n, inode: 1n };
    site.store.records.putDrop({ ...drop, outcome: { phase: "Accepted", digest } });
    site.store.records.setPackageState(digest, "ready");
    for (let look = 0; look < 3; look++) await site.look();
    assert.equal(site.record("3").state, "ready");
    site.write("init.tar.zst.config.yaml", "package: {deploy: {components: git-server}}");
    for (let look = 0; look < 3; look++) await site.look();
    assert.equal(site.record("3").state, "accepted");
  }));

Deno.test("the file is laid over the agent's configuration", () =>
  onSite(
    async (site) => {
      site.write("site.yaml", "s: 1\n");
      const configured = await site.deploy();
      assert.deepEqual(configured.variables, { A: "1", B: "2" });
      assert.deepEqual(configured.values, [{ yaml: "s: 1\n" }]);
      assert.equal(configured.timeout, 60_000);
      site.write("web.tar.zst.config.yaml", "package: {deploy: {set: {B: 3}, values: v.yaml}}");
      site.write("v.yaml", "v: 1\n");
      const both = await site.deploy();
      assert.deepEqual(both.variables, { A: "1", B: "3" });
      assert.deepEqual(both.values, [{ yaml: "v: 1\n" }]);
    },
    (dir) => ({
      web: {
        ...NO_SETTINGS,
        variables: { A: "1", B: "2" },
        valuesFiles: [`${dir}/site.yaml`],
        timeout: 60_000,
      },
    }),
  ));

Deno.test("another configuration of the agent is a wish to deploy anew", () =>
  onSite(async (site) => {
    await site.deploy();
    site.book = site.newBook({ web: { ...NO_SETTINGS, components: "a" }, other: NO_SETTINGS });
    await site.look();
    assert.equal(site.record().state, "accepted");
    assert.equal((await site.deploy()).components, "a");
    await site.look();
    assert.equal(site.record().state, "ready");
  }));

Deno.test("a file that cannot be used fails the package by its name, until it is mended", () =>
  onSite(async (site) => {
    const rows: [text: string | Uint8Array, message: RegExp][] = [
      ["package: [", /web\.tar\.zst\.config\.yaml .*not YAML$/],
      ["package: {deploy: {connected: true}}", /package\.deploy\.connected is not done/],
      ["package: {deploy: {values: absent.yaml}}", /absent\.yaml: it cannot be read/],
      ["package: {deploy: {values: ../up.yaml}}", /\.\.\/up\.yaml: .*must lie beside the package/],
      ["package: {deploy: {values: /etc/passwd}}", /passwd: .*must lie beside the package/],
      ["# ".padEnd((1 << 20) + 1, "x"), /has 1048577 bytes, the limit is 1048576$/],
      [new Uint8Array([0xff, 0xfe]), /it cannot be read/],
    ];
    for (const [content, message] of rows) {
      const file = `${site.dir}/web.tar.zst.config.yaml`;
      if (typeof content === "string") Deno.writeTextFileSync(file, content);
      else Deno.writeFileSync(file, content);
      assert.match(await site.refusal(), message);
      await site.look();
      await site.look();
      assert.equal(site.record().state, "failed", "the same file is not tried again");
    }
    site.write("web.tar.zst.config.json", "{}");
    assert.match(await site.refusal(), /there are others: web\.tar\.zst\.config\.json$/);
    Deno.removeSync(`${site.dir}/web.tar.zst.config.yaml`);
    await site.look();
    await site.look();
    assert.equal(site.record().state, "accepted");
    assert.deepEqual(await site.deploy(), NOTHING);
  }));

Deno.test("the loop looks every five seconds, and says once what keeps it from looking", () =>
  onSite(async (site) => {
    const clock = new TestClock();
    const stop = new AbortController();
    let looks = 0;
    const book = {
      look() {
        if (++looks === 3) stop.abort();
        throw new Error("no database");
      },
    } as unknown as SiteSettingsBook;
    const { store, log: { logger, lines } } = site;
    await watchSiteSettings({ store, book, logger, clock, onChange() {} }, stop.signal);
    assert.deepEqual(clock.slept, [SETTINGS_INTERVAL, SETTINGS_INTERVAL]);
    assert.equal(lines.filter((line) => line.includes("no database")).length, 1);
  }));
