import assert from "node:assert/strict";
import { load } from "js-yaml";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { exec } from "../../src/std/mod.ts";
import { mirrorHosts, NODE_REGISTRY } from "../cluster/settings.ts";
import { withDirectory } from "../fakes/testing.ts";
import { HELLO, HOLDFAST } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { readByAgent } from "./support/talos_config.ts";
import { readUnit, words } from "./support/unit_file.ts";

/*
 * What examples/systemd says for nodes of k3s, RKE2 and kubeadm.
 */

const EXAMPLES = new URL("../../examples/systemd/", import.meta.url);
const PAGE = new URL("../../docs/other-hosts.md", import.meta.url);
/** Each kind of host, with the kubeconfig that it writes for an administrator. */
const HOSTS = {
  k3s: "/etc/rancher/k3s/k3s.yaml",
  rke2: "/etc/rancher/rke2/rke2.yaml",
  kubeadm: "/etc/kubernetes/admin.conf",
};
/** The most of systemd's exposure level that is accepted, in tenths; without limits it is 96. */
const MAX_EXPOSURE = 30;
const ENV = { PATH: "/usr/bin:/bin", NO_COLOR: "1" };

function example(name: string): string {
  return Deno.readTextFileSync(new URL(name, EXAMPLES));
}

const TEXT = example("holdfast.service");
const UNIT = readUnit(TEXT);
const [START = "", ...ARGS] = words(UNIT, "Service", "ExecStart");

/** Has systemd-analyze look at a unit whose program is there. */
async function analyze(text: string, ...args: readonly string[]) {
  return await withDirectory(async (dir) => {
    const path = `${dir}/holdfast.service`;
    await Deno.writeTextFile(path, text.replace(START, HOLDFAST));
    return await exec("systemd-analyze", { args: [...args, path], env: ENV, timeout: 60_000 });
  });
}

Deno.test("systemd takes the unit without a word", async () => {
  const { code, stderr } = await analyze(TEXT, "verify");
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

/** A change to the unit, and what systemd says of it, whose words change with its version. */
const BROKEN: readonly (readonly [string, string, RegExp])[] = [
  ["PrivateTmp=", "PrivateTemp=", /Unknown key .*PrivateTemp/],
  ["[Install]", "[Installation]", /Unknown section 'Installation'/],
  ["Type=exec", "Type=execute", /service type.*execute/],
  ["Restart=always", "Restart=ever", /restart specifier.*ever/],
  ["ExecStart=/", "ExecStart=./", /valid executable name nor an absolute path/],
  ["RestartSec=5", "RestartSec=soon", /soon/],
  ["StateDirectory=", "StateDirectory=/var/lib/", /StateDirectory= path is absolute/],
  ["OOMScoreAdjust=-600", "OOMScoreAdjust=-6000", /-6000/],
  ["MemoryMax=1G", "MemoryMax=lots", /memory limit 'lots'/],
  ["ProtectSystem=full", "ProtectSystem=most", /most/],
  ["AF_NETLINK", "AF_NETWORK", /address family.*AF_NETWORK/],
  ["@pkey", "@keys", /system call group.*@keys/],
];

Deno.test("systemd says what is wrong with a unit", async () => {
  for (const [from, to, says] of BROKEN) {
    assert(TEXT.includes(from), from);
    const { stderr } = await analyze(TEXT.replace(from, to), "verify");
    assert.match(stderr, says, to);
  }
});

Deno.test("systemd finds little that the service may do and does not need", async () => {
  const args = ["security", "--offline=true", `--threshold=${MAX_EXPOSURE}`, "--no-pager"];
  const judged = await analyze(TEXT, ...args);
  assert.equal(judged.code, 0, judged.stdout.split("\n").slice(-3).join("\n"));
  const open = await analyze(TEXT.replace(/^PrivateTmp=[^]*?^$/m, ""), ...args);
  assert.notEqual(open.code, 0);
});

Deno.test("a boot waits for nothing of it, and it is started again for ever", () => {
  assert.deepEqual([...UNIT.keys()], ["Unit", "Service", "Install"]);
  assert.deepEqual(
    [...UNIT.get("Unit")?.keys() ?? []],
    ["Description", "Before", "StartLimitIntervalSec"],
  );
  // Of a target, a node would not be up before it.
  for (const before of words(UNIT, "Unit", "Before")) assert.match(before, /\.service$/);
  assert.deepEqual(words(UNIT, "Unit", "StartLimitIntervalSec"), ["0"]);
  assert.deepEqual(words(UNIT, "Service", "Restart"), ["always"]);
  // What is after it is started when the program is, not when it says that it is ready.
  assert.deepEqual(words(UNIT, "Service", "Type"), ["exec"]);
  assert.deepEqual(UNIT.get("Install"), new Map([["WantedBy", ["multi-user.target"]]]));
});

Deno.test("the program takes the arguments and each host's settings", async () => {
  const [command, config, path] = ARGS;
  assert.deepEqual([command, config, path], ["agent", "--config", "/etc/holdfast/agent.yaml"]);
  for (const [host, kubeconfig] of Object.entries(HOSTS)) {
    const text = example(`agent-${host}.yaml`);
    assert(text.startsWith(`# ${path} `), host);
    const settings = await readByAgent(text);
    assert(typeof settings !== "string", `${host}: ${settings}`);
    assert.equal(settings.kubeconfig, kubeconfig);
    assert.equal(`http://${settings["registry-address"]}`, NODE_REGISTRY);
    const [state = ""] = words(UNIT, "Service", "StateDirectory");
    assert.equal(settings["data-dir"], `/var/lib/${state}`);
    // What the unit makes read-only or hides is no place for packages or the store.
    for (const dir of [...settings["drop-dir"], settings["data-dir"]]) {
      assert.doesNotMatch(dir, /^\/(usr|etc|boot|home|root|tmp|var\/tmp|dev)(\/|$)/);
    }
  }
});

Deno.test("the program refuses an argument and a setting that it does not know", async () => {
  assert.match(String(await readByAgent("drop-dirs: /var/drop\n")), /unknown setting "drop-dirs"/);
  const { code } = await exec(HOLDFAST, { args: [...ARGS, "--eager"], env: {}, timeout: 30_000 });
  assert.equal(code, 2);
});

/** The system calls that a filter of the unit names. */
async function allowed(groups: readonly string[]): Promise<Set<string>> {
  const args = ["syscall-filter", "--no-pager", ...groups];
  const { code, stdout } = await exec("systemd-analyze", { args, env: ENV, timeout: 60_000 });
  assert.equal(code, 0);
  const names = stdout.split("\n").filter((line) => /^ +[^# ]/.test(line)).map((s) => s.trim());
  const inner = names.filter((name) => name.startsWith("@"));
  const calls = names.filter((name) => !name.startsWith("@"));
  return new Set([...calls, ...inner.length === 0 ? [] : await allowed(inner)]);
}

/** A command as systemd runs it with the unit's limits; those that need a systemd are left out. */
function confined(capabilities: readonly string[], trace: string): string[] {
  const set = capabilities.map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  return [
    ...["env", "-i", `PATH=${ENV.PATH}`],
    ...["strace", "-D", "-f", "-q", "-o", trace],
    ...["setpriv", `--bounding-set=${["-all", ...set].join(",")}`, "--inh-caps=-all"],
    ...["--no-new-privs", "--"],
  ];
}

/** What `ProtectSystem=full` does with directories that hold something. */
const READ_ONLY = ["/usr", "/boot", "/etc"]
  .map((path) => `mount --rbind ${path} ${path} && mount -o remount,bind,ro ${path}`)
  .join(" && ");

/** Takes a package in under the unit's limits. @returns the calls, and who owns the registry's storage. */
async function takePackage(capabilities: readonly string[]) {
  await using agent = new LocalAgent();
  const trace = `${agent.directory}/trace`;
  await agent.started({
    under: confined(capabilities, trace),
    mounts: READ_ONLY,
    flags: ["--kubeconfig=/etc/holdfast/not-there-yet"],
  });
  assert.match(await Deno.readTextFile(`/proc/${agent.pid}/mounts`), / \/usr \S+ ro,/);
  const path = await agent.drop(HELLO);
  await agent.settled(path, { phases: ["Accepted"] });
  assert.match((await agent.part("cluster")).message, /looks again by itself/);
  const { uid } = await Deno.stat(`${agent.dataDir}/registry`);
  assert.equal((await agent.stop()).code, 0, agent.log());
  const lines = await agent.eventually("the end of the trace", async () => {
    const text = await Deno.readTextFile(trace);
    return /\+\+\+ exited with 0 \+\+\+\s*$/.test(text) ? text.split("\n") : undefined;
  }, 60_000);
  return { calls: callsIn(lines), uid };
}

/** The names of the system calls in a trace of several processes. */
function callsIn(lines: readonly string[]): Set<string> {
  return new Set(lines.flatMap((line) => /^\d+ +(\w+)\(/.exec(line)?.[1] ?? []));
}

/** What the unit's filter would refuse of these. */
async function refused(calls: ReadonlySet<string>): Promise<string[]> {
  const filter = await allowed(words(UNIT, "Service", "SystemCallFilter"));
  return [...calls].filter((call) => !filter.has(call));
}

Deno.test("the agent takes packages in with what the unit leaves it, and asks for nothing more", async () => {
  const capabilities = words(UNIT, "Service", "CapabilityBoundingSet");
  const { calls, uid } = await takePackage(capabilities);
  assert.equal(uid, 1000);
  assert(calls.has("openat") && calls.has("execve") && calls.size > 50, [...calls].join(" "));
  assert.deepEqual(await refused(calls), []);
  const less = await allowed(["@basic-io", "@file-system", "@process"]);
  assert.notDeepEqual([...calls].filter((call) => !less.has(call)), []);
});

/** What the agent does with helm, kubectl and git, as a script. */
const PROGRAMS = `set -e
"$HELM" create chart && "$HELM" template chart
ln -s "$HELM" kubectl && ./kubectl version --client
! ./kubectl --kubeconfig none get pods
git init -q --bare kept && git clone -q kept work
git -C work -c user.name=n -c user.email=e commit -q --allow-empty -m first
git -C work push -q origin HEAD:main && git -C kept repack -adq`;

Deno.test("the programs that the agent calls ask for nothing more, either", () =>
  withDirectory(async (dir) => {
    const env = { ...ENV, HOME: dir, HELM: await ensureTool(TOOLS.helm) };
    const args = ["-f", "-qq", "-o", `${dir}/trace`, "sh", "-c", PROGRAMS];
    const { code, stderr } = await exec("strace", { args, env, cwd: dir, timeout: 60_000 });
    assert.equal(code, 0, stderr);
    const calls = callsIn((await Deno.readTextFile(`${dir}/trace`)).split("\n"));
    assert(calls.has("renameat") || calls.has("rename"), [...calls].join(" "));
    assert.deepEqual(await refused(calls), []);
  }));

Deno.test("without the right to give files away the registry has no place on the node", async () => {
  const fewer = words(UNIT, "Service", "CapabilityBoundingSet").filter((it) => it !== "CAP_CHOWN");
  assert.equal((await takePackage(fewer)).uid, 0);
});

Deno.test("containerd is told what the nodes of tests are told in mirror mode", () => {
  const lines = example("hosts.toml").split("\n").filter((line) => !line.startsWith("#"));
  assert.equal(lines.join("\n"), mirrorHosts());
  const modes = Deno.readTextFileSync(new URL("image-modes.md", PAGE));
  const [, block = ""] = /```toml\n([^]*?)```/.exec(modes) ?? [];
  assert.equal(block.replaceAll("\n\n", "\n"), mirrorHosts());
});

Deno.test("k3s and RKE2 are told the same in their words", () => {
  assert.deepEqual(load(example("registries.yaml")), {
    mirrors: { "*": { endpoint: [NODE_REGISTRY] } },
  });
});

Deno.test("the page says where each file goes", async () => {
  const page = await Deno.readTextFile(PAGE);
  for (const { name } of Deno.readDirSync(EXAMPLES)) assert(page.includes(`\`${name}\``), name);
  for (const path of Object.values(HOSTS)) assert(page.includes(path), path);
  for (const name of ["hosts.toml", "registries.yaml"]) {
    const [, first = ""] = /^# (\S+)/.exec(example(name)) ?? [];
    assert(page.includes(first), first);
  }
});
