import assert from "node:assert/strict";

const MAIN = decodeURIComponent(new URL("support/ipv6_main.ts", import.meta.url).pathname);
const ADDRESSES = ["fd00::1", "fd00::2", "fd00::3"];

/** A network of its own, which goes with the program in it. */
const NETWORK = `
ip link set lo up
ip -4 addr flush dev lo
for address in ${ADDRESSES.join(" ")}; do ip -6 addr add "$address/128" dev lo; done
exec "$@"
`;

Deno.test({
  name: "agents on machines that have nothing but IPv6 find each other and serve",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async () => {
    const { code, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--net", "sh", "-ec", NETWORK, "sh", Deno.execPath()].concat(
        ["test", "-A", "--no-check", MAIN, "--", ...ADDRESSES],
      ),
      env: { NO_COLOR: "1" },
    }).output();
    const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
    assert.equal(code, 0, text);
  },
});
