import assert from "node:assert/strict";
import { resolve, settingsOf } from "../../test/fakes/settings.ts";
import {
  actionPolicyOf,
  type GivenSettings,
  limitsOf,
  SettingsError,
  splitAddress,
  workerRightsOf,
} from "./settings.ts";
import type { SettingsInput } from "./settings_sources.ts";

Deno.test("what is not rewritten is named by Zarf's names, and none by default", () => {
  assert.deepEqual(resolve({}).settings["mutation-exclusion"], []);
  const environment = { HOLDFAST_MUTATION_EXCLUSION: "flux:argocd" };
  assert.deepEqual(resolve({ environment }).settings["mutation-exclusion"], ["flux", "argocd"]);
  assert.throws(
    () => settingsOf({ "mutation-exclusion": ["helm"] }),
    (error) => error instanceof SettingsError && error.message.includes("mutation-exclusion"),
  );
});

Deno.test("limits of deployments are times as Go writes them, within bounds", () => {
  assert.deepEqual(limitsOf(settingsOf({})), { package: 86_400_000, component: 28_800_000 });
  const settings = settingsOf({ "package-timeout": "1h30m", "component-timeout": "90s" });
  assert.deepEqual(limitsOf(settings), { package: 5_400_000, component: 90_000 });
  assert.equal(settings["package-timeout"], "1h30m", "printed as it was given");
  for (const time of ["0", "999ms", "721h", "soon", "-1h", ""]) {
    assert.throws(
      () => settingsOf({ "package-timeout": time }),
      (error) => error instanceof SettingsError && /between 1s and 720h/.test(error.message),
      time,
    );
  }
});

Deno.test("the cluster's beginning is a section of the file, and flags and variables like any other", () => {
  const text =
    "bootstrap:\n  etcd: first-control-plane\n  control-planes: [10.0.0.1, 'FD00::0:2']\n";
  const first = "first-control-plane";
  const cases: Partial<SettingsInput>[] = [
    { file: { path: "f", text } },
    {
      environment: {
        HOLDFAST_BOOTSTRAP_ETCD: first,
        HOLDFAST_BOOTSTRAP_CONTROL_PLANES: "10.0.0.1,fd00::2",
      },
    },
    {
      flags: {
        "drop-dir": ["/drop"],
        "bootstrap-etcd": first,
        "bootstrap-control-planes": ["10.0.0.1", "fd00:0::2"],
      },
    },
  ];
  for (const input of cases) {
    const { settings } = resolve(input);
    assert.equal(settings["bootstrap-etcd"], first);
    assert.deepEqual(settings["bootstrap-control-planes"], ["10.0.0.1", "fd00::2"]);
  }
  const single = { path: "f", text: `bootstrap: { etcd: ${first} }` };
  assert.deepEqual(resolve({ file: single }).settings["bootstrap-control-planes"], []);
  assert.equal(
    resolve({ file: { path: "f", text: "bootstrap:" } }).settings["bootstrap-etcd"],
    undefined,
  );
});

Deno.test("a beginning that would be misunderstood is refused", () => {
  const rows: [text: string, message: RegExp][] = [
    ["bootstrap: { etcd: yes-please }", /bootstrap-etcd "yes-please"/],
    ["bootstrap: { etcd: first-control-plane, controlplanes: [10.0.0.1] }", /controlplanes/],
    ["bootstrap: { control-planes: 10.0.0.1 }", /control-planes/],
    ["bootstrap: { control-planes: [node-1] }", /is no IP address/],
    ["bootstrap: { control-planes: ['10.0.0.1,,10.0.0.2'] }", /is no IP address/],
    ["bootstrap: { control-planes: [127.0.0.1] }", /that every machine has/],
    ["bootstrap: { control-planes: ['fd00::1', 'FD00:0::1'] }", /an address twice/],
    ["bootstrap: first-control-plane", /bootstrap/],
  ];
  for (const [text, message] of rows) {
    assert.throws(
      () => resolve({ file: { path: "f", text } }),
      (error) => error instanceof SettingsError && message.test(error.message),
      text,
    );
  }
});

Deno.test("without a word, trusted packages run commands if there are trusted keys, else all", () => {
  const rows: [flags: GivenSettings, expected: string][] = [
    [{}, "always"],
    [{ "trust-key": ["/key.pub"] }, "trusted"],
    [{ actions: "trusted" }, "trusted"],
    [{ actions: "always", "trust-key": ["/key.pub"] }, "always"],
    [{ actions: "never", "trust-key": ["/key.pub"] }, "never"],
  ];
  for (const [flags, expected] of rows) {
    assert.equal(actionPolicyOf(settingsOf(flags)), expected, JSON.stringify(flags));
  }
});

Deno.test("workers deploy, unless packages have to be signed or it is said", () => {
  const cases: [Record<string, string | string[]>, string][] = [
    [{}, "deploy"],
    [{ "trust-key": ["/k"] }, "serve"],
    [{ "worker-rights": "serve" }, "serve"],
    [{ "trust-key": ["/k"], "worker-rights": "deploy" }, "deploy"],
  ];
  for (const [flags, expected] of cases) {
    assert.equal(workerRightsOf(settingsOf(flags)), expected, JSON.stringify(flags));
  }
});

Deno.test("packages may put files nowhere unless it is said where", () => {
  assert.deepEqual(resolve({}).settings["files-root"], []);
  const environment = { HOLDFAST_FILES_ROOT: "/opt/a:/srv" };
  assert.deepEqual(resolve({ environment }).settings["files-root"], ["/opt/a", "/srv"]);
});

const mistakes: readonly [string, Partial<SettingsInput>, RegExp][] = [
  ["rights that there are not", {
    flags: { "drop-dir": ["/d"], "worker-rights": "some" },
  }, /worker-rights "some"/],
  ["a policy that there is not", {
    flags: { "drop-dir": ["/d"], actions: "sometimes" },
  }, /actions "sometimes"/],
  ["a root that is not absolute", {
    flags: { "drop-dir": ["/d"], "files-root": ["opt"] },
  }, /files-root "opt" .*is not absolute/],
  ["no drop directory", { flags: {} }, /drop-dir.*is missing/],
  ["an address without a port", {
    flags: { "drop-dir": ["/d"], "status-address": "localhost" },
  }, /status-address "localhost" \(from flag\): is not HOST:PORT/],
  ["a port that does not exist", {
    flags: { "drop-dir": ["/d"], "status-address": "localhost:70000" },
  }, /no such port/],
  ["an unknown mode", { environment: { HOLDFAST_IMAGE_MODE: "magic" } }, /image-mode.*environment/],
  ["a node name with capitals", { environment: { HOLDFAST_NODE_NAME: "Node" } }, /node-name/],
];

for (const [what, input, says] of mistakes) {
  Deno.test(`${what} is refused by name`, () => {
    assert.throws(() => resolve(input), (error: unknown) => {
      assert(error instanceof SettingsError);
      assert.match(error.message, says);
      return true;
    });
  });
}

Deno.test("an address is split at its last colon", () => {
  assert.deepEqual(splitAddress("127.0.0.1:31999"), { hostname: "127.0.0.1", port: 31999 });
  assert.deepEqual(splitAddress("[::1]:80"), { hostname: "::1", port: 80 });
});
