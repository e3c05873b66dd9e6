import assert from "node:assert/strict";
import { eventually } from "../fakes/testing.ts";
import { layoutOf } from "./layout.ts";
import { commandLine, findNodes, hostPid, killNode, signalNumber } from "./processes.ts";

const onLinux = Deno.build.os === "linux";

Deno.test("signals have their Linux numbers", { ignore: !onLinux }, () => {
  assert.deepEqual((["SIGHUP", "SIGKILL", "SIGTERM"] as const).map(signalNumber), [1, 9, 15]);
});

/** A process whose arguments are those of a node's pid 1. */
async function withLookAlike(
  args: string[],
  see: (pid: number) => Promise<void> | void,
): Promise<void> {
  // The shell stays beside its child, with all of its arguments.
  const child = new Deno.Command("bash", {
    args: ["-c", 'exec -a node sleep 100 & trap "kill $!" EXIT; wait', ...args],
  });
  const process = child.spawn();
  try {
    await see(process.pid);
  } finally {
    try {
      process.kill("SIGTERM");
    } catch {
      // The test ended it.
    }
    await process.status;
  }
}

Deno.test(
  "a process is a node's only with the arguments of its cluster",
  { ignore: !onLinux },
  async () => {
    const layout = layoutOf("look", "/nowhere");
    await withLookAlike(["init", `${layout.state}/nodes/node3/node.json`], async (pid) => {
      // Its arguments come after bash's own: not the place where pid 1 has them.
      await eventually(() => commandLine(pid).includes("init"));
      assert.equal(findNodes(layout).size, 0);
    });
  },
);

Deno.test("the arguments of a process that is gone are empty", { ignore: !onLinux }, async () => {
  const child = new Deno.Command("true").spawn();
  await child.status;
  assert.deepEqual(commandLine(child.pid), []);
});

Deno.test("a child is found by the id that it has for itself", { ignore: !onLinux }, async () => {
  const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
  try {
    // Without a namespace in between both ids are the same.
    assert.equal(hostPid(Deno.pid, child.pid), child.pid);
    assert.equal(hostPid(Deno.pid, 1), undefined);
    assert.equal(hostPid(child.pid, child.pid), undefined);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});

Deno.test("a killed node is gone when killNode returns", {
  ignore: !onLinux || Deno.uid() !== 0,
}, async () => {
  const child = new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", "sleep 100 & sleep 100"],
  }).spawn();
  const inside = () => Deno.readLinkSync(`/proc/${child.pid}/ns/mnt`);
  const own = Deno.readLinkSync("/proc/self/ns/mnt");
  while (inside() === own) await new Promise((resolve) => setTimeout(resolve, 5));
  const namespace = inside();
  const members = () =>
    [...Deno.readDirSync("/proc")].filter(({ name }) => {
      try {
        return /^\d+$/.test(name) && Deno.readLinkSync(`/proc/${name}/ns/mnt`) === namespace;
      } catch {
        return false;
      }
    }).map(({ name }) => Number(name));
  // Not a pid 1: the kernel leaves its children, which killNode must wait for.
  const orphans = () => members().filter((pid) => pid !== child.pid);
  await eventually(() => orphans().length > 0);
  let returned = false;
  const killed = killNode(child.pid).then(() => returned = true);
  await child.status;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(returned, false);
  for (const pid of orphans()) Deno.kill(pid, "SIGKILL");
  await killed;
  assert.deepEqual(members(), []);
});

Deno.test("a namespace that comes after a killed node's is not taken for the node's", {
  ignore: !onLinux || Deno.uid() !== 0,
}, async () => {
  const unshared = () => new Deno.Command("unshare", { args: ["--mount", "sleep", "100"] }).spawn();
  const later: Deno.ChildProcess[] = [];
  try {
    for (let round = 0; round < 5; round++) {
      const node = unshared();
      const own = Deno.readLinkSync("/proc/self/ns/mnt");
      await eventually(() => Deno.readLinkSync(`/proc/${node.pid}/ns/mnt`) !== own);
      const killed = killNode(node.pid);
      await node.status;
      // The kernel gives the number away again as soon as nobody holds it.
      later.push(...Array.from({ length: 3 }, unshared));
      await killed;
    }
  } finally {
    for (const child of later) child.kill("SIGKILL");
    await Promise.all(later.map((child) => child.status));
  }
});
