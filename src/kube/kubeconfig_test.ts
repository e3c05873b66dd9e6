import assert from "node:assert/strict";
import { KubeError } from "./errors.ts";
import { accessOf, inClusterAccess, readKubeconfig } from "./kubeconfig.ts";

const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

/** A kubeconfig as kubeadm writes it, with changes. */
function kubeconfig(cluster: object = {}, user: object = {}, rest: object = {}) {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "main",
    contexts: [
      { name: "other", context: { cluster: "none", user: "none" } },
      { name: "main", context: { cluster: "c", user: "u", namespace: "x" } },
    ],
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443/", ...cluster } }],
    users: [{ name: "u", user }],
    preferences: {},
    ...rest,
  };
}

Deno.test("a current context becomes an access", async (t) => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/ca.crt`, "CA");
  const server = "https://127.0.0.1:6443";
  const pairs = {
    "client-certificate-data": base64("CERT"),
    "client-key-data": base64("KEY"),
  };
  const cases: [name: string, cluster: object, user: object, access: object][] = [
    ["nothing but an address", {}, {}, { server }],
    [
      "data",
      { "certificate-authority-data": base64("CA") },
      pairs,
      { server, ca: "CA", cert: "CERT", key: "KEY" },
    ],
    ["a file beside it", { "certificate-authority": "ca.crt" }, {}, { server, ca: "CA" }],
    [
      "data wins over a file",
      { "certificate-authority": "missing", "certificate-authority-data": base64("CA") },
      {},
      { server, ca: "CA" },
    ],
    ["a token", {}, { token: "t" }, { server, token: "t" }],
    ["a token file", {}, { tokenFile: "token" }, { server, tokenFile: `${directory}/token` }],
    ["a prefix", { server: "https://h/k8s/c1" }, {}, { server: "https://h/k8s/c1" }],
    ["a server name that is the server's", { "tls-server-name": "127.0.0.1" }, {}, { server }],
    ["verification asked for", { "insecure-skip-tls-verify": false }, {}, { server }],
  ];
  for (const [name, cluster, user, access] of cases) {
    await t.step(name, () => {
      assert.deepEqual(accessOf(kubeconfig(cluster, user), directory), access);
    });
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("what cannot be obeyed is refused by name", async (t) => {
  const cases: [name: string, config: unknown, message: RegExp][] = [
    ["exec", kubeconfig({}, { exec: { command: "aws" } }), /uses exec/],
    ["auth-provider", kubeconfig({}, { "auth-provider": { name: "gcp" } }), /uses auth-provider/],
    ["password", kubeconfig({}, { username: "admin", password: "x" }), /uses username/],
    ["proxy", kubeconfig({ "proxy-url": "http://p" }), /uses proxy-url/],
    [
      "no verification",
      kubeconfig({ "insecure-skip-tls-verify": true }),
      /insecure-skip-tls-verify/,
    ],
    ["another name", kubeconfig({ "tls-server-name": "kubernetes" }), /uses tls-server-name/],
    ["no context", kubeconfig({}, {}, { "current-context": "" }), /no context is selected/],
    ["unknown context", kubeconfig({}, {}, { "current-context": "x" }), /has no context x/],
    ["unknown cluster", kubeconfig({}, {}, { clusters: [] }), /has no cluster c/],
    ["unknown user", kubeconfig({}, {}, { users: [] }), /has no user u/],
    ["no address", kubeconfig({ server: "nowhere" }), /clusters\.0\.cluster\.server/],
    ["bad base64", kubeconfig({ "certificate-authority-data": "%" }), /is not base64/],
    ["missing file", kubeconfig({ "certificate-authority": "/nonexistent" }), /cannot read/],
    ["nothing", null, /is not a kubeconfig/],
    ["a text", "hello", /is not a kubeconfig/],
  ];
  for (const [name, config, message] of cases) {
    await t.step(name, () => {
      assert.throws(() => accessOf(config), (error) => {
        assert.ok(error instanceof KubeError);
        assert.deepEqual([error.reason, error.disposition], ["BadKubeconfig", "wait"]);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("a file is read, and its name is in the error when it cannot be", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/config`;
  await Deno.writeTextFile(`${directory}/ca.crt`, "CA");
  await Deno.writeTextFile(path, JSON.stringify(kubeconfig({ "certificate-authority": "ca.crt" })));
  assert.equal(readKubeconfig(path).ca, "CA");
  for (const content of ["a: [", "", "\0"]) {
    await Deno.writeTextFile(path, content);
    assert.throws(
      () => readKubeconfig(path),
      (error) => error instanceof KubeError && error.message.includes(path),
    );
  }
  await Deno.remove(directory, { recursive: true });
  assert.throws(() => readKubeconfig(path), /cannot read/);
});

Deno.test("a pod's service account is found, on IPv6 as well", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/ca.crt`, "CA");
  const env = (host: string) => (name: string) =>
    ({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: "443" })[name];
  assert.deepEqual(inClusterAccess(env("10.0.0.1"), directory), {
    server: "https://10.0.0.1:443",
    ca: "CA",
    tokenFile: `${directory}/token`,
  });
  assert.equal(inClusterAccess(env("fd00::1"), directory).server, "https://[fd00::1]:443");
  assert.throws(() => inClusterAccess(() => undefined, directory), /does not run in a pod/);
  await Deno.remove(directory, { recursive: true });
});
