import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import type { DeploymentPlan } from "../deploy/mod.ts";
import { newState, saveState } from "../zarf/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { run, type Said } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));
const SMALL = "zarf-package-app-small-amd64-0.0.1.tar.zst";
const SIGNED = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;

/**
 * An API server in memory, and in the place of helm a script that keeps what it is asked and answers
 * that one object would be created.
 */
class Site implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly dir = Deno.makeTempDirSync({ prefix: "holdfast plan " });
  /** A copy of a package, so that something can lie beside it. */
  readonly path = `${this.dir}/${SMALL}`;

  constructor() {
    Deno.copyFileSync(`${PACKAGES}/${SMALL}`, this.path);
    this.write("kubeconfig", this.api.peer.kubeconfig);
    Deno.mkdirSync(`${this.dir}/tools`);
    const answer = {
      ...{ action: "install", revision: 0, pending: [] },
      objects: [{
        ...{ role: "object", apiVersion: "v1", kind: "ConfigMap", name: "made" },
        target: {},
        after: {},
      }],
    };
    this.write(
      "tools/helm",
      `#!/bin/sh\ncat >> '${this.dir}/asked'\necho '${JSON.stringify(answer)}'\n`,
    );
    Deno.chmodSync(`${this.dir}/tools/helm`, 0o755);
  }

  static async ready(): Promise<Site> {
    const site = new Site();
    site.api.put(namespace("zarf"));
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(site.api.client, newState({ ...address, ipFamily: "ipv4" }));
    site.api.writes.length = 0;
    return site;
  }

  write(name: string, text: string): string {
    Deno.writeTextFileSync(`${this.dir}/${name}`, text);
    return `${this.dir}/${name}`;
  }

  /** Runs the command; the cluster and the machine are as before. */
  async said(path: string, ...flags: readonly string[]): Promise<Said> {
    const temporary = Deno.makeTempDirSync();
    const before = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", temporary);
    try {
      const kubeconfig = `--kubeconfig=${this.dir}/kubeconfig`;
      const tools = `--tools-dir=${this.dir}/tools`;
      const said = await run("package", "plan", path, kubeconfig, tools, ...flags);
      assert.deepEqual([...Deno.readDirSync(temporary)], [], "nothing is left");
      assert.deepEqual(this.api.writes, []);
      return said;
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
      Deno.removeSync(temporary, { recursive: true });
    }
  }

  async plan(path: string, ...flags: readonly string[]): Promise<DeploymentPlan> {
    const { code, out, err } = await this.said(path, "-o", "json", ...flags);
    assert.equal(code, EXIT.done, err);
    return JSON.parse(out);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

Deno.test("a plan is printed for people and for programs, and is the same each time", async () => {
  await using site = await Site.ready();
  const plan = await site.plan(site.path);
  assert.equal(plan.package.name, "app-small");
  assert.equal(Reflect.get(plan, "file"), site.path);
  assert.equal(Reflect.get(plan, "signature"), "Unsigned");
  const { out, code } = await site.said(site.path);
  assert.equal(code, EXIT.done);
  assert.match(out, /^package +app-small 0\.0\.1 \(amd64\)$/m);
  assert.match(out, /^ {6}\+ ConfigMap made$/m);
  assert.ok(out.includes(`plan       ${plan.hash}`), out);
  assert.deepEqual(load((await site.said(site.path, "-o", "yaml")).out), plan);
  const [asked = ""] = Deno.readTextFileSync(`${site.dir}/asked`).split("}{");
  assert.match(asked, /"release":"zarf-[0-9a-f]{40}","namespace":/);
});

Deno.test("settings come from the configuration, from beside the package and from the flags", async () => {
  await using site = await Site.ready();
  const config = site.write(
    "agent.yaml",
    "packages:\n  app-small:\n    set: { GREETING: configured, REPLICAS: 2 }\n",
  );
  const variables = async (...flags: string[]) => (await site.plan(site.path, ...flags)).variables;
  const standard = await variables();
  assert.equal(standard["GREETING"], "hello");
  const configured = await variables("--config", config);
  assert.deepEqual([configured["GREETING"], configured["REPLICAS"]], ["configured", "2"]);
  site.write(`${SMALL}.config.yaml`, "package: { deploy: { set: { greeting: beside } } }");
  const beside = await variables("--config", config);
  assert.deepEqual([beside["GREETING"], beside["REPLICAS"]], ["beside", "2"]);
  const flagged = await variables("--config", config, "--set-variables", "greeting=flagged");
  assert.deepEqual([flagged["GREETING"], flagged["REPLICAS"]], ["flagged", "2"]);
});

interface Failure {
  readonly name: string;
  readonly code: number;
  readonly says: RegExp;
  readonly path?: string;
  readonly flags?: (dir: string) => readonly string[];
  readonly beside?: string;
}

const FAILURES: readonly Failure[] = [
  {
    name: "a cluster that does not answer",
    code: EXIT.failed,
    says: /the cluster at https:\/\/127\.0\.0\.1:1 cannot be asked/,
    flags: () => {
      const cluster = { server: "https://127.0.0.1:1" };
      const file = Deno.makeTempFileSync();
      Deno.writeTextFileSync(
        file,
        JSON.stringify({
          "current-context": "c",
          clusters: [{ name: "c", cluster }],
          contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
          users: [{ name: "c", user: {} }],
        }),
      );
      return ["--kubeconfig", file];
    },
  },
  {
    name: "a kubeconfig that is none",
    code: EXIT.failed,
    says: /cannot read .*nowhere/,
    flags: (dir) => ["--kubeconfig", `${dir}/nowhere`],
  },
  {
    name: "tools that are not there",
    code: EXIT.failed,
    says: /nowhere\/helm is not there/,
    flags: (dir) => ["--tools-dir", `${dir}/nowhere`],
  },
  {
    name: "a policy that there is not",
    code: EXIT.wrongUse,
    says: /setting actions "sometimes"/,
    flags: () => ["--actions", "sometimes"],
  },
  {
    name: "a configuration that cannot be read",
    code: EXIT.wrongUse,
    says: /configuration file .* cannot be read/,
    flags: (dir) => ["--config", `${dir}/nowhere`],
  },
  {
    name: "a package that no trusted key signed",
    code: EXIT.refusedPackage,
    says: /signed/,
    flags: () => ["--trust-key", `${PACKAGES}/app-signed.pub`],
  },
  {
    name: "settings beside the package that cannot be used",
    code: EXIT.refusedPackage,
    says: /would not be deployed: the settings in .*config\.yaml cannot be used: .*namespace/,
    beside: "package: { deploy: { namespace: elsewhere } }",
  },
  {
    name: "a choice that cannot be met",
    code: EXIT.refusedPackage,
    says: /would not be deployed: the components cannot be chosen: .*"nothing"/,
    flags: () => ["--components", "nothing"],
  },
];

for (const { name, code, says, flags = () => [], beside } of FAILURES) {
  Deno.test(`no plan is made, and it is said why, for ${name}`, async () => {
    await using site = await Site.ready();
    if (beside !== undefined) site.write(`${SMALL}.config.yaml`, beside);
    const said = await site.said(site.path, ...flags(site.dir));
    assert.equal(said.code, code, said.err);
    assert.match(said.err, says);
  });
}

Deno.test("without a kubeconfig it is wrong use", async () => {
  const { code, err } = await run("package", "plan", `${PACKAGES}/${SMALL}`);
  assert.equal(code, EXIT.wrongUse);
  assert.match(err, /there is no kubeconfig/);
});

Deno.test("a damaged package is refused before the cluster is asked", async () => {
  await using site = await Site.ready();
  const bytes = buildPackage({});
  const path = `${site.dir}/zarf-package-x-amd64.tar.zst`;
  Deno.writeFileSync(path, bytes.subarray(0, bytes.length / 2));
  const asked = site.api.peer.seen.length;
  const { code, out } = await site.said(path);
  assert.deepEqual([code, out], [EXIT.refusedPackage, ""]);
  assert.equal(site.api.peer.seen.length, asked);
});

Deno.test("a refusal ends the command with its code after the plan was printed", async () => {
  await using site = await Site.ready();
  const { code, out, err } = await site.said(SIGNED, "--components", "nothing", "-o", "json");
  assert.equal(code, EXIT.refusedPackage);
  const { refused, components }: DeploymentPlan = JSON.parse(out);
  assert.deepEqual([refused[0]?.reason, components], ["SelectionInvalid", []]);
  assert.match(err, /would not be deployed/);
});

Deno.test("a signature by a trusted key is told", async () => {
  await using site = await Site.ready();
  const { out } = await site.said(SIGNED, "--trust-key", `${PACKAGES}/app-signed.pub`);
  assert.match(out, /^signature +Verified by b7cdfef8572b7c9b$/m);
});

Deno.test("of an init package nothing is planned that Holdfast is itself", async () => {
  await using site = await Site.ready();
  const path = `${site.dir}/zarf-init-amd64-v0.84.0.tar.zst`;
  const registry = {
    definition: { charts: [{ name: "docker-registry", version: "1", namespace: "zarf" }] },
    files: { "charts/docker-registry-1.tgz": "a chart" },
  };
  const image = (name: string) => `docker.io/library/${name}:1`;
  Deno.writeFileSync(
    path,
    buildPackage({
      components: [
        { name: "zarf-seed-registry", images: [image("seed")], ...registry },
        { name: "zarf-registry", images: [image("registry")], ...registry },
        {
          name: "own",
          images: [image("own")],
          definition: { required: false, default: true },
        },
      ],
      images: ["seed", "registry", "own"].map((name) => ({
        reference: image(name),
        layers: [name],
      })),
      hooks: { definition: (definition) => void (definition["kind"] = "ZarfInitConfig") },
    }),
  );
  const plan = await site.plan(path);
  assert.deepEqual(plan.components.map(({ name, note, steps }) => [name, note, steps.length]), [
    ["zarf-seed-registry", "provided by Holdfast", 0],
    ["zarf-registry", "provided by Holdfast", 0],
    ["own", undefined, 0],
  ]);
  assert.equal(plan.images.total, 2, "the seed's image is not sent");
  site.write("zarf-init-amd64-v0.84.0.tar.zst.config.yaml", "init: { components: -own }");
  const chosen = await site.plan(path);
  assert.deepEqual(chosen.components.map(({ name, deployed }) => [name, deployed]).at(-1), [
    "own",
    false,
  ]);
  site.write("zarf-init-amd64-v0.84.0.tar.zst.config.yaml", "init: { compnents: own }");
  const { code, err } = await site.said(path);
  assert.equal(code, EXIT.refusedPackage, err);
  assert.match(err, /there is no setting init\.compnents/);
});
