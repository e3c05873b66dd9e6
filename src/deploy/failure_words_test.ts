/** What a failed deployment says, and what it never says. @module */
import assert from "node:assert/strict";
import { writePackage } from "../../test/e2e/support/deploy_fixture.ts";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { failure, HelmInMemory, success } from "../../test/fakes/helm_in_memory.ts";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { describeError, type ExecOptions } from "../std/mod.ts";
import { newState, saveState } from "../zarf/mod.ts";
import type { DeployProgress } from "./context.ts";
import { deployPackage } from "./deploy.ts";
import { DeployError } from "./errors.ts";

const SECRET = "hunter2-and-more";
const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

interface Scene {
  readonly api: ApiObjects;
  readonly helm: HelmInMemory;
  /** Answers of `helm gotemplate`. */
  goTemplate: () => unknown;
}

/** Deploys a package of three components; `web` is the second, with Go templates and a secret. */
async function fails(
  prepare: (scene: Scene) => void,
  manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
): Promise<{ error: DeployError; said: string }> {
  let found: { error: DeployError; said: string } | undefined;
  await withDirectory(async (dataDir) => {
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    await saveState(api.client, STATE);
    const scene: Scene = {
      ...{ api, helm: new HelmInMemory(api) },
      goTemplate: () => [{ text: manifest }],
    };
    prepare(scene);
    const manifests = [{ name: "m", namespace: "shop", files: ["m.yaml"], template: true }];
    const pkg = writePackage(dataDir, {
      definition: {
        metadata: { name: "shop" },
        variables: [{ name: "PASSWORD", sensitive: true }],
        components: [
          { name: "base", required: true },
          { name: "web", required: true, manifests },
          { name: "extra", required: true },
          { name: "last", required: true },
        ],
      },
      files: { "components/web/manifests/m-0.yaml": manifest },
    });
    const said: DeployProgress[] = [];
    const exec = (command: string, options: ExecOptions) =>
      options.args?.[0] === "gotemplate"
        ? Promise.resolve(success(JSON.stringify({ results: answer(options, scene) })))
        : scene.helm.exec(command, options);
    try {
      await deployPackage(pkg, {
        ...{ kube: api.client, dataDir, kubeconfig: "/kubeconfig", exec },
        tools: { helm: "/helm", postRenderer: { command: "/holdfast", args: ["post-render"] } },
        ...{ clock: new TestClock(), timeout: 5_000, variables: { password: SECRET } },
        onProgress: (progress) => said.push(progress),
      });
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      found = { error, said: JSON.stringify(said) };
    }
  });
  return found ?? assert.fail("it did not fail");
}

function answer(options: ExecOptions, scene: Scene): unknown {
  const { tasks } = JSON.parse(String(options.stdin)) as { tasks: { kind: string }[] };
  if (tasks[0]?.kind === "render") return scene.goTemplate();
  return tasks.map(({ kind }) => kind === "merged" ? { value: {} } : { references: [] });
}

Deno.test("what a Go template, Helm, the API server and a container say shows no secret", async (t) => {
  const encoded = new TextEncoder().encode(SECRET).toBase64();
  const pending = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nstatus:\n" +
    "  phase: Pending\n  containerStatuses:\n  - {name: c, restartCount: 9, state: {waiting: " +
    "{reason: CrashLoopBackOff}}}\n";
  const rows: [name: string, reason: string, (scene: Scene) => void, manifest?: string][] = [
    ["a Go template", "TemplateFailed", (scene) => {
      scene.goTemplate = () => [{ error: `template: m:1: cannot use "${SECRET}"` }];
    }],
    ["Helm", "ObjectInvalid", ({ helm }) => {
      helm.intercept = () => failure(`Secret "a" is invalid: data: ${SECRET} and ${encoded}`);
    }],
    ["the API server", "ClusterCallFailed", ({ api }) => {
      api.intercept = ({ path, method }) =>
        method === "PATCH" && path.endsWith("/namespaces/shop")
          ? Response.json({ message: `what is ${SECRET}?`, reason: "BadRequest" }, { status: 400 })
          : undefined;
    }],
    ["a container", "NotReady", ({ api }) => {
      api.logs.set("p", `the password is ${SECRET}\n`);
    }, pending],
  ];
  for (const [name, reason, prepare, manifest] of rows) {
    await t.step(name, async () => {
      const { error, said } = await fails(prepare, manifest);
      const words = describeError(error);
      assert.equal(error.reason, reason, words);
      assert.match(words, /^component "web": .*\*\*\*/);
      for (const secret of [SECRET, encoded]) {
        assert.ok(!words.includes(secret), words);
        assert.ok(!said.includes(secret), said);
      }
    });
  }
});

Deno.test("what is known before the deployment has begun is hidden, too", async () => {
  const { error } = await fails((scene) => {
    scene.helm.intercept = () => success();
    scene.api.intercept = ({ path }) =>
      path.endsWith("/secrets/zarf-state")
        ? Response.json({ message: `no ${SECRET}`, reason: "Forbidden" }, { status: 403 })
        : undefined;
  });
  assert.ok(!describeError(error).includes(SECRET), describeError(error));
});

Deno.test("a failure says what became of the other components", async () => {
  const { error } = await fails(({ helm }) => {
    helm.intercept = () => failure("INSTALL FAILED: exceeded quota: q");
  });
  assert.match(
    error.kept ?? "",
    /^release zarf-\w+ of "m" is not there; component "base" stays deployed; components "extra", "last" were not begun$/,
  );
});
