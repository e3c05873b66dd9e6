import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { DeployError } from "../deploy/mod.ts";
import { digestOf } from "../std/mod.ts";
import { type PackageRecord, Store } from "../store/mod.ts";
import { newState, registryServiceAt, saveState } from "../zarf/mod.ts";
import { type DeployerOptions, deployRecord } from "./deployer.ts";
import { SiteSettingsBook } from "./site_settings.ts";

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

/** A store with one package, and a cluster; commands run for real, and nothing is installed. */
class Site {
  readonly store: Store;
  readonly api: ApiObjects;
  readonly dir: string;
  readonly digest = digestOf("shop");

  constructor(dir: string, store: Store, api: ApiObjects) {
    this.dir = dir;
    this.store = store;
    this.api = api;
  }

  /** Each component says its name; the second one succeeds when there is a file `gate`. */
  take(): void {
    const action = (text: string) => ({ cmd: `echo "${text} $ZARF_VAR_V" >> ${this.dir}/said` });
    const components = [
      { name: "one", required: true, actions: { onDeploy: { before: [action("one")] } } },
      {
        name: "two",
        required: true,
        actions: { onDeploy: { before: [action("two"), { cmd: `[ -e ${this.dir}/gate ]` }] } },
      },
    ];
    const path = this.store.packagePath(this.digest);
    Deno.mkdirSync(path, { recursive: true });
    Deno.writeTextFileSync(
      `${path}/zarf.yaml`,
      JSON.stringify({ kind: "ZarfPackageConfig", metadata: { name: "shop" }, components }),
    );
    this.drop();
  }

  drop(): void {
    const { digest } = this;
    this.store.records.putPackage({
      ...{ digest, name: "shop", version: "1", architecture: "amd64", kind: "ZarfPackageConfig" },
      ...{ signature: "Unsigned", acceptedAt: "2026-01-02T03:04:05Z", fileName: "s", bytes: 1 },
      ...{ images: [], manifests: [], blobs: [] },
    });
    this.store.records.putDrop({
      ...{ path: `${this.dir}/shop.tar`, size: 1, mtimeNs: 1n, inode: 1n },
      outcome: { phase: "Accepted", digest },
    });
  }

  decide(settings: string): void {
    Deno.writeTextFileSync(`${this.dir}/shop.tar.config.yaml`, `package: {deploy: ${settings}}`);
  }

  /** Deploys it as after a start of the agent; gives what its actions have said. */
  async deploy(
    { more = {}, as = {} }: { more?: Partial<DeployerOptions>; as?: Partial<PackageRecord> } = {},
  ): Promise<string[]> {
    const { store, api, dir } = this;
    const said = `${dir}/said`;
    Deno.writeTextFileSync(said, "");
    const record = store.records.getPackage(this.digest);
    assert.ok(record);
    try {
      await deployRecord(
        {
          ...{ kube: api.client, store, nodeName: "node-1", logger: loggerOf().logger },
          access: {
            url: "http://10.96.0.2:5000",
            service: registryServiceAt("10.96.0.2"),
            state: STATE,
          },
          ...{ kubeconfig: "/kubeconfig", tools: { helm: `${dir}/tools/helm` } },
          ...{ rewrite: true, policy: "always", filesRoots: [], onChange: () => {} },
          tags: { forget: () => {} },
          registryAddress: "127.0.0.1:31999",
          git: { isAble: false, target: () => assert.fail("no package has repositories") },
          siteSettings: new SiteSettingsBook({
            ...{ store, configured: {} },
            templates: () => assert.fail("nothing is read as TOML"),
          }),
          ...more,
        },
        { ...record, ...as },
        new AbortController().signal,
      );
      return [...lines(said), "ready"];
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      return [...lines(said), error.reason];
    }
  }
}

function lines(path: string): string[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "").map((line) =>
    line.trim()
  );
}

function onSite(action: (site: Site) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    await saveState(api.client, STATE);
    const site = new Site(dir, store, api);
    site.take();
    await action(site);
  });
}

Deno.test("what failed is gone on from, unless it is wished for anew: other settings, another drop", () =>
  onSite(async (site) => {
    assert.deepEqual(await site.deploy(), ["one", "two", "ActionFailed"]);
    assert.deepEqual(await site.deploy(), ["two", "ActionFailed"]);
    const wishes: [settings: string, value: string][] = [
      ["{set: {V: a}}", "a"],
      ["{set: {V: a}, set_values: {x: y}}", "a"],
      ["{set: {V: a}, set_values: {x: y}, timeout: 1m}", "a"],
    ];
    for (const [settings, value] of wishes) {
      site.decide(settings);
      const all = [`one ${value}`, `two ${value}`, "ActionFailed"];
      assert.deepEqual(await site.deploy(), all, settings);
      assert.deepEqual(await site.deploy(), all.slice(1), settings);
    }
    site.store.records.setPackageState(site.digest, "failed");
    site.drop();
    assert.deepEqual(await site.deploy(), ["one a", "two a", "ActionFailed"]);
    Deno.writeTextFileSync(`${site.dir}/gate`, "");
    assert.deepEqual(await site.deploy(), ["two a", "ready"]);
    assert.deepEqual(await site.deploy(), ["one a", "two a", "ready"]);
  }));

Deno.test("under the policy trusted the actions of packages run that a key has signed", () =>
  onSite(async (site) => {
    Deno.writeTextFileSync(`${site.dir}/gate`, "");
    const more = { policy: "trusted" } as const;
    assert.deepEqual(await site.deploy({ more }), ["ActionsRefused"]);
    const as = { signature: "Verified" } as const;
    assert.deepEqual(await site.deploy({ more, as }), ["one", "two", "ready"]);
    assert.deepEqual(await site.deploy({ more: { policy: "never" }, as }), ["ActionsRefused"]);
  }));

Deno.test("the time of all attempts at one wish counts, and a new wish has all of it", () =>
  onSite(async (site) => {
    const { records } = site.store;
    const more = { limits: { package: 60_000, component: 60_000 } };
    assert.deepEqual(await site.deploy({ more }), ["one", "two", "ActionFailed"]);
    const key = `deploy-time/${site.digest}`;
    const note = records.getValue(key) as { readonly wish: string; readonly used: number };
    assert.ok(note.used > 0 && note.used < 60_000, JSON.stringify(note));
    records.setValue(key, { ...note, used: 60_000 });
    assert.deepEqual(await site.deploy({ more }), ["DeadlineExceeded"]);
    records.setPackageState(site.digest, "failed");
    site.drop();
    assert.deepEqual(await site.deploy({ more }), ["one", "two", "ActionFailed"]);
  }));
