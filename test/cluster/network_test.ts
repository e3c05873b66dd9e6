import assert from "node:assert/strict";
import { MAX_CLUSTERS, nodeIp, subnetOf } from "./layout.ts";
import { cable, countOutside, fence, inNode, plugIn, removeBridge, unplug } from "./network.ts";
import { obstacle } from "./prerequisites.ts";
import { run } from "./run.ts";
import { waitUntil } from "./wait.ts";

const canRun = obstacle() === undefined;
/** Beyond what clusters use, and another one for every run at the same time. */
const index = MAX_CLUSTERS + Deno.pid % (255 - MAX_CLUSTERS);
const subnet = subnetOf(index);

Deno.test("a node gets its address, a default route and a route to every other node's pods", () => {
  assert.deepEqual(inNode(subnet, 2, 3).split("\n"), [
    "link set lo up",
    `addr add 172.29.${index}.12/24 dev eth0`,
    "link set eth0 up",
    `route add default via 172.29.${index}.1`,
    `route add 10.244.1.0/24 via 172.29.${index}.11`,
    `route add 10.244.3.0/24 via 172.29.${index}.13`,
    "",
  ]);
  assert.equal(cable(subnet, 2), `hft${index}n2`);
});

Deno.test({
  name: "nft takes the fence, and its counter starts at zero",
  ignore: !canRun,
  fn: async () => {
    await run("nft", ["-f", "-"], { stdin: fence(subnet) });
    try {
      assert.equal(await countOutside(subnet), 0);
      const rules = await run("nft", ["list", "table", "inet", subnet.bridge]);
      assert.match(rules, /hook prerouting priority mangle/);
      assert.match(
        rules,
        new RegExp(`iifname "${subnet.bridge}" oifname != "${subnet.bridge}" drop`),
      );
    } finally {
      await run("nft", ["delete", "table", "inet", subnet.bridge]);
    }
    await assert.rejects(countOutside(subnet), /No such file/);
  },
});

/**
 * A host with a leg in the fence: a network namespace beside a bridge named as the fence expects.
 * Every packet is made by ping or bash in it.
 */
async function inFence(see: (tryIt: (script: string) => Promise<void>) => Promise<void>) {
  const inside = new Deno.Command("unshare", { args: ["--net", "sleep", "100"] }).spawn();
  const enter = ["-t", String(inside.pid), "-n"];
  try {
    const own = Deno.readLinkSync("/proc/self/ns/net");
    await waitUntil(
      "the namespace",
      () => Deno.readLinkSync(`/proc/${inside.pid}/ns/net`) !== own,
      { timeout: 60_000 },
    );
    await run("nft", ["-f", "-"], { stdin: fence(subnet) });
    await run("ip", ["-batch", "-"], {
      stdin: `link add ${subnet.bridge} type bridge
addr add ${subnet.host}/24 dev ${subnet.bridge}
link set ${subnet.bridge} up
`,
    });
    await plugIn(subnet, 1, 1, inside.pid);
    await see(async (script) => {
      await run("nsenter", [...enter, "bash", "-c", `${script}; true`]);
    });
  } finally {
    await unplug(subnet, 1);
    await removeBridge(subnet);
    inside.kill("SIGKILL");
    await inside.status;
  }
}

Deno.test({
  name: "only packets to addresses outside the test's own networks are counted",
  ignore: !canRun,
  fn: async (t) => {
    await inFence(async (tryIt) => {
      const cases: [string, string, boolean][] = [
        ["TCP to the internet", "timeout 0.3 bash -c '</dev/tcp/198.51.100.7/443'", true],
        ["TCP to the host itself", `timeout 0.3 bash -c '</dev/tcp/${subnet.host}/22'`, true],
        ["UDP to a resolver", "echo x > /dev/udp/203.0.113.53/53", true],
        ["TCP to a Service that nobody has", "timeout 0.3 bash -c '</dev/tcp/10.96.3.3/80'", false],
        ["TCP to a pod", "timeout 0.3 bash -c '</dev/tcp/10.244.7.7/80'", false],
        [
          "TCP to a node that is off",
          `timeout 0.3 bash -c '</dev/tcp/172.29.${index}.19/80'`,
          false,
        ],
        ["a multicast", "echo x > /dev/udp/224.0.0.251/5353", false],
      ];
      for (const [name, script, counted] of cases) {
        await t.step(name, async () => {
          const before = await countOutside(subnet);
          let seen = false;
          // On a busy machine a first try may be over before anything was sent.
          for (let tries = 0; !seen && tries < (counted ? 10 : 1); tries++) {
            await tryIt(`{ ${script}; } 2>/dev/null`);
            seen = await countOutside(subnet) > before;
          }
          assert.equal(seen, counted);
        });
      }
    });
  },
});

Deno.test({
  name: "the host reaches a node through the fence",
  ignore: !canRun,
  fn: async () => {
    await inFence(async () => {
      // Nobody listens there: the refusal is the node's answer, and it came back.
      await assert.rejects(
        Deno.connect({ hostname: nodeIp(subnet, 1), port: 9 }),
        Deno.errors.ConnectionRefused,
      );
      assert.equal(await countOutside(subnet), 0);
    });
  },
});

Deno.test({
  name: "a refusal by ICMP, as kube-proxy gives it, is an answer too",
  ignore: !canRun,
  fn: async () => {
    await inFence(async (tryIt) => {
      await tryIt(
        "nft 'table ip no { chain in { type filter hook input priority 0; " +
          "tcp dport 9 reject with icmp type port-unreachable; }; }'",
      );
      await assert.rejects(
        Deno.connect({ hostname: nodeIp(subnet, 1), port: 9 }),
        Deno.errors.ConnectionRefused,
      );
      assert.equal(await countOutside(subnet), 0);
    });
  },
});
