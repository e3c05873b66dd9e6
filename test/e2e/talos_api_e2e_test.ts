import assert from "node:assert/strict";
import { generateTalosApi } from "../../extension/build/talos_api.ts";
import { type ResourceEvent, RESOURCES, TalosClient, TalosError } from "../../src/talos/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { TalosApi } from "./support/talos_api.ts";

/*
 * The client for machined's socket against grpc-go with Talos' own definitions and roles.
 */

const VERSION = "/machine.MachineService/Version";
const WATCH = "/cosi.resource.State/Watch";
const KUBECONFIG = "apiVersion: v1\nkind: Config\n";

async function withApi(
  action: (api: TalosApi, client: TalosClient) => Promise<void>,
): Promise<void> {
  await withDirectory(async (dir) => {
    await using api = await TalosApi.start(`${dir}/machine.sock`);
    using client = new TalosClient(api.socket);
    await action(api, client);
  });
}

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<TalosError> {
  try {
    await call;
  } catch (error) {
    assert(error instanceof TalosError, String(error));
    return error;
  }
  assert.fail("it did not fail");
}

Deno.test("the messages that are kept are those of the pinned definitions", async () => {
  const below = new URL("../../src/talos/api/", import.meta.url);
  const generated = await generateTalosApi();
  assert(generated.length > 4);
  for (const { path, text } of generated) {
    assert.equal(
      Deno.readTextFileSync(new URL(path, below)),
      text,
      `${path}: run deno task generate`,
    );
  }
});

Deno.test("each call has its typed answer, and asks for the role of an admin", () =>
  withApi(async (api, client) => {
    assert.deepEqual(await client.version(), {
      tag: "v1.13.0",
      architecture: "amd64",
      platform: "metal",
    });
    assert.deepEqual(await client.resource(RESOURCES.machineType), undefined);
    await api.change({
      machineType: "controlplane",
      nodename: "node-1",
      etcd: ["a@192.0.2.1", "b"],
    });
    assert.equal((await client.resource(RESOURCES.machineType))?.spec, "controlplane");
    const nodename = await client.resource(RESOURCES.nodename);
    assert.deepEqual(nodename?.spec, {
      hostnameVersion: "",
      nodename: "node-1",
      skipNodeRegistration: false,
    });
    assert.deepEqual(await client.etcdMembers(), [
      { id: "1", name: "a", isLearner: false, peerUrls: ["https://192.0.2.1:2380"] },
      { id: "2", name: "b", isLearner: false, peerUrls: [] },
    ]);
    assert.deepEqual(await client.etcdStatus(), {
      memberId: "1",
      leaderId: "1",
      isLearner: false,
      size: 4096,
      errors: [],
    });
    await client.reboot("POWERCYCLE");
    const reboot = await api.said(({ call }) => call?.endsWith("/Reboot"));
    assert.deepEqual(reboot.request, { mode: "POWERCYCLE" });
    await client.startService("kubelet");
    const start = await api.said(({ call }) => call?.endsWith("/ServiceStart"));
    assert.deepEqual(start.request, { id: "kubelet" });
    const refused = await failure(client.startService("etcd"));
    assert.match(refused.message, /"etcd" doesn't support start operation via API/);
    for (const { call, roles } of api.lines) {
      if (call !== undefined) assert.deepEqual(roles, ["os:admin"], call);
    }
  }));

/** etcd's service, as the client tells it. */
async function etcdService(client: TalosClient) {
  return (await client.services()).find(({ id }) => id === "etcd") ?? assert.fail("no etcd");
}

Deno.test("etcd is made once, on a control plane whose disk has none", () =>
  withApi(async (api, client) => {
    const none = await failure(client.bootstrap());
    assert.deepEqual([none.reason, none.disposition], ["Unimplemented", "terminal"]);
    await api.change({ machineType: "controlplane", etcdWaits: "time sync" });
    assert.equal((await etcdService(client)).message, "Waiting for time sync");
    assert.equal((await failure(client.bootstrap())).reason, "FailedPrecondition");
    await api.change({ etcdWaits: "" });
    const before = await etcdService(client);
    assert.equal(before.state, "Preparing");
    assert.deepEqual(await client.namesIn("/var/lib/etcd"), []);
    await client.bootstrap();
    const after = await etcdService(client);
    assert.equal(after.state, "Running");
    assert.notEqual(after.since, before.since, "it was loaded anew");
    assert.deepEqual(await client.namesIn("/var/lib/etcd"), ["member"]);
    assert.equal((await client.etcdMembers()).length, 1);
    const error = await failure(client.bootstrap());
    assert.deepEqual([error.reason, error.disposition], ["AlreadyExists", "terminal"]);
    assert.match(
      error.message,
      /machine\.MachineService\/Bootstrap: etcd data directory is not empty/,
    );
  }));

Deno.test("that etcd is to be made is forgotten when the machine starts anew before it is", () =>
  withApi(async (api, client) => {
    await api.change({ machineType: "controlplane", etcdImage: false });
    const life = await client.resource(RESOURCES.machineType);
    await client.bootstrap();
    assert.equal((await etcdService(client)).state, "Preparing");
    await api.change({ restart: true, etcdImage: true });
    assert.equal((await etcdService(client)).state, "Preparing");
    assert.deepEqual(await client.namesIn("/var/lib/etcd"), []);
    const next = await client.resource(RESOURCES.machineType);
    assert.match(life?.created ?? "", /^\d+\.\d{9}$/);
    assert.notEqual(next?.created, life?.created, "that is how another life is known");
  }));

Deno.test("a directory is listed, and what is none, or not there, is told apart from an empty one", () =>
  withApi(async (api, client) => {
    await api.change({ files: ["/a/one", "/a/two/three", "/b/", "/c"] });
    assert.deepEqual(await client.namesIn("/a"), ["one", "two"]);
    assert.deepEqual(await client.namesIn("/b"), []);
    assert.deepEqual(await client.namesIn("/c"), [""]);
    assert.equal(await client.namesIn("/d"), undefined);
    const method = "/machine.MachineService/List";
    await api.change({ fail: { method, code: 7, message: "no such file or directory, maybe" } });
    assert.equal((await failure(client.namesIn("/b"))).reason, "PermissionDenied");
  }));

Deno.test("a kind is listed whole, and watched from then on", () =>
  withApi(async (api, client) => {
    const { namespace, type } = RESOURCES.kubernetesSecrets;
    assert.deepEqual(await client.resources({ namespace, type }), []);
    await api.change({ kubernetes: KUBECONFIG });
    const [secrets, ...others] = await client.resources({ namespace, type });
    assert.equal(others.length, 0);
    assert.equal(
      (secrets?.spec as Record<string, unknown>)["localhostAdminKubeconfig"],
      KUBECONFIG,
    );
    const ending = new AbortController();
    const seen: string[] = [];
    const nameOf = (event: ResourceEvent) =>
      event.type === "Present" ? `Present ${event.resource.version}` : event.type;
    for await (const event of client.watch({ namespace, type }, { signal: ending.signal })) {
      seen.push(nameOf(event));
      if (event.type === "Synced") await api.change({ kubernetes: `${KUBECONFIG}# new\n` });
      if (seen.length === 3) await api.change({ kubernetes: "" });
      if (event.type === "Gone") break;
    }
    assert.deepEqual(seen, ["Present 1", "Synced", "Present 2", "Gone"]);
  }));

Deno.test("a list that breaks off is no list", () =>
  withApi(async (api, client) => {
    await api.change({ kubernetes: KUBECONFIG });
    // The message that says that the watch is ready, then the resource; its end never comes.
    await api.change({ fail: { method: WATCH, code: 13, message: "lost", after: 2 } });
    const error = await failure(client.resources(RESOURCES.kubernetesSecrets));
    assert.equal(error.reason, "Unreachable");
    assert.match(error.message, /the list of KubernetesSecrets\.secrets\.talos\.dev broke off/);
  }));

Deno.test("images are listed, pulled and imported, as a stream of any length", () =>
  withApi(async (_, client) => {
    assert.deepEqual(await client.images("system"), []);
    assert.equal(await client.pullImage("system", "example.com/a:1"), "example.com/a:1");
    const chunk = new Uint8Array(64 * 1024);
    const archive = async function* () {
      for (let i = 0; i < 512; i++) yield chunk;
    };
    assert.equal(await client.importImages("kubernetes", archive()), "imported:33554432");
    assert.deepEqual((await client.images("kubernetes")).map(({ size }) => size), [33554432]);
    assert.deepEqual((await client.images("system")).map(({ name }) => name), ["example.com/a:1"]);
  }));

Deno.test("an archive that cannot be read ends the import, and nothing is there", () =>
  withApi(async (_, client) => {
    const archive = async function* () {
      yield new Uint8Array(1000);
      throw new Error("bad sector");
    };
    const error = await failure(client.importImages("kubernetes", archive()));
    assert.match(error.message, /ImageService\/Import/);
    assert.deepEqual(await client.images("kubernetes"), []);
  }));

Deno.test("an installer is followed to its exit code, and what breaks off has failed", () =>
  withApi(async (api, client) => {
    const lines: string[] = [];
    const upgrade = () => client.upgrade("system", "installer:2", (line) => lines.push(line));
    const missing = await failure(upgrade());
    assert.equal(missing.reason, "NotFound");
    await client.pullImage("system", "installer:2");
    assert.equal(await upgrade(), 0);
    await api.change({ exitCode: 3 });
    assert.equal(await upgrade(), 3);
    assert.deepEqual(lines, ["running installer installer:2", "running installer installer:2"]);
    const method = "/machine.LifecycleService/Upgrade";
    await api.change({ fail: { method, code: 13, message: "killed", after: 1 } });
    assert.equal(
      (await failure(upgrade())).message,
      "the installer installer:2 broke off before its end was told",
    );
    await api.change({ fail: { method }, container: true });
    const refused = await failure(upgrade());
    assert.deepEqual([refused.reason, refused.disposition], ["FailedPrecondition", "wait"]);
    assert.match(refused.message, /method is not supported in container mode/);
  }));

Deno.test("a role that is not enough, and what is no kind, are refused in Talos' words", () =>
  withApi(async (_, client) => {
    const error = await failure(client.resource({ namespace: "x", type: "Nothing.here", id: "y" }));
    assert.deepEqual([error.reason, error.status], ["PermissionDenied", 7]);
    assert.match(error.message, /State\/Get: resource type "Nothing\.here" is not supported/);
  }));

Deno.test("a call ends in its time, and with its signal, and machined is told", () =>
  withApi(async (api, client) => {
    await api.change({ fail: { method: VERSION, millis: 10_000 } });
    const late = await failure(client.version({ deadline: 100 }));
    assert.deepEqual([late.reason, late.disposition], ["Timeout", "retry"]);
    await api.said(({ cancelled }) => cancelled === VERSION);
    const from = api.lines.length;
    const stop = new AbortController();
    const call = client.version({ signal: stop.signal });
    await api.said((line) => line.call === VERSION, from);
    const reason = new Error("the agent stops");
    stop.abort(reason);
    await assert.rejects(call, reason);
    await api.said(({ cancelled }) => cancelled === VERSION, from);
  }));

Deno.test("without a machined it is said, and when it is back it answers", () =>
  withDirectory(async (dir) => {
    const socket = `${dir}/machine.sock`;
    using client = new TalosClient(socket);
    const none = await failure(client.version());
    assert.deepEqual([none.reason, none.disposition], ["Unreachable", "retry"]);
    assert.match(
      none.message,
      /MachineService\/Version: machined does not answer on .*machine\.sock/,
    );
    {
      await using api = await TalosApi.start(socket);
      assert.equal((await client.version()).tag, "v1.13.0");
      await api.change({ drop: true });
      assert.equal((await client.version()).tag, "v1.13.0", "a lost connection is made anew");
    }
    assert.equal((await failure(client.version())).reason, "Unreachable");
    await using _ = await TalosApi.start(socket);
    assert.equal((await client.version()).tag, "v1.13.0", "on a new socket, too");
  }));

Deno.test("what is no machined is no answer", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/machine.sock`;
    const server = Deno.serve(
      { path, transport: "unix", onListen() {} } as Deno.ServeUnixOptions,
      () => new Response("hello", { status: 404 }),
    );
    using client = new TalosClient(path);
    const error = await failure(client.version());
    assert.deepEqual(error.reason, "BadResponse");
    await server.shutdown();
  }));
