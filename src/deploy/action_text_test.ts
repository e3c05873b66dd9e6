import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { actionsOf, nameOf, substitute, titleOf, withZarf } from "./action_text.ts";

function actions(onDeploy: Record<string, unknown>) {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "web", actions: { onDeploy } }],
  })));
  const [component] = definition.components;
  assert.ok(component);
  return actionsOf(component);
}

Deno.test("an action is named by where it stands and what it is called", () => {
  const placed = actions({
    onFailure: [{ cmd: "e" }],
    onSuccess: [{ cmd: "d" }],
    after: [{ cmd: "b" }, { cmd: "c", description: 'say "c"' }],
    before: [{ cmd: "a" }],
  });
  assert.deepEqual(placed.map(nameOf), [
    'action onDeploy.before[0] "a"',
    'action onDeploy.after[0] "b"',
    'action onDeploy.after[1] "say \\"c\\""',
    'action onDeploy.onSuccess[0] "d"',
    'action onDeploy.onFailure[0] "e"',
  ]);
});

Deno.test("without a description an action is called by what it does, cut short", () => {
  const rows: [action: Record<string, unknown>, expected: string][] = [
    [{ cmd: "a\nb\n" }, "a; b"],
    [{ cmd: "x".repeat(60) }, "x".repeat(60)],
    [{ cmd: "x".repeat(61) }, `${"x".repeat(57)}...`],
    [{ wait: { cluster: { kind: "pod", name: "web" } } }, "wait for pod web"],
    [{ wait: { cluster: { kind: "pod" } } }, "wait for pod"],
    [{ wait: { network: { protocol: "tcp", address: "a:1" } } }, "wait for tcp a:1"],
    [{ wait: {}, cmd: "c" }, "c"],
  ];
  for (const [action, expected] of rows) {
    const [placed] = actions({ before: [action] });
    assert.ok(placed);
    assert.equal(titleOf(placed), expected);
  }
});

Deno.test("a command's ./zarf is what calls it, as Zarf does it", () => {
  const rows: [command: string, expected: string][] = [
    ['echo "this is zarf"', 'echo "this is zarf"'],
    ["./zarf deploy", "/bin/z deploy"],
    ["a && ./zarf b; ./zarf c", "a && /bin/z b; /bin/z c"],
    ["./zarf", "./zarf"],
    ["cat ./zarf.yaml", "cat ./zarf.yaml"],
  ];
  for (const [command, expected] of rows) assert.equal(withZarf(command, "/bin/z"), expected);
  assert.equal(withZarf("./zarf x", "/a$&b"), "/a$&b x");
});

Deno.test("variables are put into waits as Zarf does it", () => {
  const templates = new Map([
    ["###ZARF_VAR_NAME###", { value: "agent-hook" }],
    ["###ZARF_VAR_NAMESPACE###", { value: "zarf" }],
    ["###ZARF_CONST_FOO###", { value: "bar$&" }],
  ]);
  const rows: [text: string, expected: string][] = [
    ["app=podinfo", "app=podinfo"],
    ["app=${ZARF_VAR_NAME}", "app=agent-hook"],
    ["${ZARF_CONST_FOO}", "bar$&"],
    ["${ZARF_VAR_NAME} in ${ZARF_VAR_NAMESPACE}", "agent-hook in zarf"],
    ["", ""],
    ["${ZARF_VAR_UNKNOWN}", "${ZARF_VAR_UNKNOWN}"],
    ["app=$ZARF_VAR_NAME", "app=agent-hook"],
    ["$ZARF_VAR_NAME in $ZARF_VAR_NAMESPACE", "agent-hook in zarf"],
    ["${ZARF_VAR_NAME} in $ZARF_VAR_NAMESPACE", "agent-hook in zarf"],
  ];
  for (const [text, expected] of rows) assert.equal(substitute(text, templates), expected, text);
});
