import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { newState, saveState } from "../zarf/mod.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { run } from "./testing.ts";
import { zarfCommand } from "./zarf_command.ts";

/** An API server that has ConfigMaps, and a way to call what actions call. */
async function withCluster(
  action: (
    zarf: (...argv: string[]) => Promise<{ code: number; out: string; err: string }>,
    api: ApiObjects,
  ) => Promise<void>,
): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("shop"));
  api.intercept = ({ path }) =>
    path !== "/api" && path !== "/apis" ? undefined : Response.json({
      kind: "APIGroupDiscoveryList",
      items: path === "/apis" ? [] : [{
        versions: [{
          version: "v1",
          resources: [["configmaps", "ConfigMap"], ["pods", "Pod"]].map(([resource, kind]) => ({
            resource,
            responseKind: { kind },
            scope: "Namespaced",
          })),
        }],
      }],
    });
  await withDirectory(async (dir) => {
    Deno.writeTextFileSync(`${dir}/config`, api.peer.kubeconfig);
    await action(async (...argv) => {
      const said = { code: 0, out: "", err: "" };
      try {
        const environment = { KUBECONFIG: `${dir}/config:/other`, PATH: "/nowhere" };
        const out = (text: string) => void (said.out += text);
        await zarfCommand(argv, environment, { out, err: out });
      } catch (error) {
        said.code = exitCodeOf(error);
        said.err = error instanceof Error ? error.message : String(error);
      }
      return said;
    }, api);
  });
}

Deno.test("every command that is not served is refused by name, and says what is", async () => {
  const rows: [argv: string[], name: string][] = [
    [["package", "deploy", "x"], "zarf package"],
    [["init"], "zarf init"],
    [["internal", "agent"], "zarf internal agent"],
    [["tools", "yq", "."], "zarf tools yq"],
    [["t", "sbom"], "zarf t sbom"],
    [["tools"], "zarf tools"],
    [[], "zarf"],
  ];
  for (const [argv, name] of rows) {
    const { code, out, err } = await run("zarf", ...argv);
    assert.equal(code, EXIT.wrongUse);
    assert.equal(out, "");
    assert.ok(
      err.startsWith(`holdfast: "${name}" is not served to actions; actions have of zarf: `),
      err,
    );
  }
});

Deno.test("the version is the one whose packages and state are kept", async () => {
  assert.deepEqual(await run("zarf", "version"), { code: EXIT.done, out: "v0.84.0\n", err: "" });
});

Deno.test("objects are waited for with Zarf's arguments", () =>
  withCluster(async (zarf, api) => {
    const metadata = { name: "text", namespace: "shop" };
    api.put({ apiVersion: "v1", kind: "ConfigMap", metadata });
    const status = { phase: "Pending" };
    api.put({ apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "web" }, status });
    const rows: [argv: string[], code: number, err: RegExp][] = [
      [["configmap", "text", "-n", "shop"], EXIT.done, /^$/],
      [["configmap", "text", "exists", "--namespace=shop"], EXIT.done, /^$/],
      [["resource", "cm", "text"], EXIT.failed, /the cluster has no kind cm$/],
      [["configmap", "text"], EXIT.failed, /ConfigMap text in namespace default is not there yet$/],
      [["pod", "web", "-n", "shop"], EXIT.done, /^$/],
      [["resource", "pod", "web", "-n", "shop"], EXIT.failed, /Pod web: starting$/],
      [["pod", "none", "delete", "-n", "shop"], EXIT.done, /^$/],
      [["pod"], EXIT.failed, /there is no Pod in namespace default$/],
    ];
    for (const [argv, code, err] of rows) {
      const said = await zarf("tools", "wait-for", "--timeout", "1ms", ...argv);
      assert.match(said.err, err, argv.join(" "));
      assert.equal(said.code, code, argv.join(" "));
      assert.equal(said.out, "");
    }
  }));

Deno.test("addresses are waited for with Zarf's arguments", () =>
  withCluster(async (zarf) => {
    const stop = new AbortController();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, signal: stop.signal },
      () => new Response("x", { status: 404 }),
    );
    const address = `127.0.0.1:${server.addr.port}`;
    const rows: [argv: string[], code: number][] = [
      [["tcp", address], EXIT.done],
      [["network", "tcp", address], EXIT.done],
      [["http", address, "404"], EXIT.done],
      [["network", "http", address, "success"], EXIT.failed],
      [["http", address], EXIT.failed],
      [["http", address, "fine"], EXIT.wrongUse],
    ];
    for (const [argv, code] of rows) {
      const said = await zarf("t", "wait", ...argv, "--timeout=1ms");
      assert.equal(said.code, code, `${argv}: ${said.err}`);
    }
    stop.abort();
    await server.finished;
  }));

Deno.test("what wait-for does not take is wrong use", () =>
  withCluster(async (zarf) => {
    const rows: [argv: string[], err: RegExp][] = [
      [[], /not told what to wait for/],
      [["resource"], /not told what to wait for/],
      [["pod", "--timeout", "5"], /"5" is no duration/],
      [["pod", "--timeout", "soon"], /"soon" is no duration/],
      [["pod", "--all"], /--all/],
    ];
    for (const [argv, err] of rows) {
      const said = await zarf("tools", "wait-for", ...argv);
      assert.equal(said.code, EXIT.wrongUse);
      assert.match(said.err, err);
    }
  }));

Deno.test("credentials are told one at a time, by Zarf's keys", () =>
  withCluster(async (zarf, api) => {
    assert.match((await zarf("tools", "get-creds", "registry")).err, /no Zarf state/);
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    const state = newState({ ...address, ipFamily: "ipv4" });
    api.put(namespace("zarf"));
    await saveState(api.client, state);
    const { pushPassword, pullPassword } = state.registryInfo;
    const rows: [argv: string[], code: number, out: string][] = [
      [["registry"], EXIT.done, `${pushPassword}\n`],
      [["registry-readonly"], EXIT.done, `${pullPassword}\n`],
      [["git"], EXIT.done, `${state.gitServer.pushPassword}\n`],
      [[], EXIT.wrongUse, ""],
      [["toString"], EXIT.wrongUse, ""],
      [["registry", "git"], EXIT.wrongUse, ""],
    ];
    for (const [argv, code, out] of rows) {
      const said = await zarf("tools", "get-creds", ...argv);
      assert.deepEqual([said.code, said.out], [code, out], argv.join(" "));
    }
  }));
