import assert from "node:assert/strict";
import type { EtcdFacts } from "./etcd_facts.ts";
import type { EtcdMemory } from "./etcd_marker.ts";
import { type EtcdStatement, type EtcdWord, WordKey, wordOf } from "./etcd_word.ts";

const NOW = { life: "1.0", runner: "2.0" };
const BLANK: EtcdFacts = {
  machine: "controlplane",
  life: NOW.life,
  addresses: ["10.0.0.2"],
  endpoint: { host: "10.0.0.1", port: 6443 },
  authorities: ["PEM"],
  siteSecret: "secret",
  service: { state: "Preparing", message: "Running pre state", runner: NOW.runner },
  data: "blank",
  kubeletJoined: false,
  members: [],
  discovered: [],
};
const NEVER: EtcdStatement = {
  word: "never",
  text: "its disk is blank",
  addresses: ["10.0.0.2"],
  controlPlanes: ["10.0.0.1", "10.0.0.2"],
};

Deno.test("a machine says that it never saw a cluster only when that is so, and it can know", () => {
  const rows: [name: string, Partial<EtcdFacts>, EtcdMemory, EtcdWord][] = [
    ["a blank one", {}, {}, "never"],
    ["a blank one that looked before", {}, { boot: NOW }, "never"],
    ["one with data", { data: "present" }, {}, "cluster"],
    ["one whose kubelet has joined", { kubeletJoined: true }, {}, "cluster"],
    ["one that sees members", { members: [{ name: "a", addresses: [] }] }, {}, "cluster"],
    ["one that remembers", {}, { seen: "it was" }, "cluster"],
    [
      "one that remembers, and does not know more",
      { machine: "unknown" },
      { seen: "x" },
      "cluster",
    ],
    ["one that was about to ask", {}, { boot: NOW, asked: NOW }, "making"],
    ["one that has asked", {}, {
      boot: { ...NOW, runner: "1.9" },
      asked: { ...NOW, runner: "1.9" },
    }, "making"],
    ["one whose Talos somebody has asked", {}, { boot: { ...NOW, runner: "1.9" } }, "making"],
    ["one that has asked in another life", {}, { asked: { ...NOW, life: "0.9" } }, "never"],
    ["a worker", { machine: "worker" }, {}, "unknown"],
    ["one that makes its own", { machine: "init" }, {}, "unknown"],
    ["one without a type", { machine: "unknown" }, {}, "unknown"],
    ["one without its volume", { data: "absent" }, {}, "unknown"],
    ["one without etcd's service", { service: undefined }, {}, "unknown"],
  ];
  for (const [name, facts, memory, word] of rows) {
    assert.equal(wordOf({ ...BLANK, ...facts }, memory).word, word, name);
  }
});

Deno.test("a question and its answer are believed by who knows the same secret, and nobody else", () => {
  const key = new WordKey("secret");
  const { question, text } = key.ask("10.0.0.2");
  assert.deepEqual(new WordKey("secret").asked(text), question);
  const answer = key.answer(question, NEVER);
  assert.deepEqual(new WordKey("secret").answered(question, answer), NEVER);
  assert.doesNotMatch(text + answer, /secret/);
  const stranger = new WordKey("another");
  assert.equal(stranger.asked(text), undefined);
  assert.equal(stranger.answered(question, answer), undefined);
  assert.equal(key.answered(question, stranger.answer(question, NEVER)), undefined);
});

Deno.test("an answer is good for one question", () => {
  const key = new WordKey("secret");
  const { question } = key.ask("10.0.0.2");
  const answer = key.answer(question, NEVER);
  assert.equal(key.answered(key.ask("10.0.0.2").question, answer), undefined, "another nonce");
  assert.equal(key.answered({ ...question, to: "10.0.0.3" }, answer), undefined, "another machine");
  assert.notEqual(key.ask("a").question.nonce, key.ask("a").question.nonce);
});

Deno.test("nothing of a word can be changed on its way", () => {
  const key = new WordKey("secret");
  const { question, text } = key.ask("10.0.0.2");
  const answer = key.answer(question, { ...NEVER, word: "cluster" });
  const changes: [string, string][] = [
    ["cluster", "never"],
    ["10.0.0.2", "10.0.0.3"],
    ["blank", "clean"],
    ['"mac":"', '"more":1,"mac":"0'],
    [/"mac":"[^"]+"/.exec(answer)?.[0] ?? "", '"mac":""'],
  ];
  for (const [from, to] of changes) {
    assert(answer.includes(from), from);
    assert.equal(key.answered(question, answer.replace(from, to)), undefined, `${from} to ${to}`);
  }
  assert.equal(key.asked(text.replace("10.0.0.2", "10.0.0.3")), undefined);
  assert.equal(key.asked(answer), undefined, "an answer is no question");
  assert.equal(key.answered(question, text), undefined, "a question is no answer");
  for (const garbage of ["", "{", "null", "[]", "1", '{"mac":1}']) {
    assert.equal(key.asked(garbage), undefined);
    assert.equal(key.answered(question, garbage), undefined);
  }
});
