import assert from "node:assert/strict";
import { isLocalOrPrivate } from "./local_or_private.ts";

const HOSTS: [host: string, is: boolean][] = [
  ["localhost", true],
  ["localhost:5000", true],
  ["127.0.0.1:5000", true],
  ["127.9.9.9", true],
  ["10.1.2.3:5000", true],
  ["172.15.0.1", false],
  ["172.16.0.1", true],
  ["172.31.255.1:80", true],
  ["172.32.0.1", false],
  ["192.168.1.1", true],
  ["192.169.1.1", false],
  ["8.8.8.8:5000", false],
  ["[::1]:5000", true],
  ["[fd12:3456::1]:5000", true],
  ["[2001:db8::1]:5000", false],
  ["registry.local:5000", true],
  ["registry.localhost", true],
  ["registry.example.com", false],
  ["notlocal", false],
  ["127.0.0.1.example.com", false],
  ["10.example.com", false],
];
Deno.test("only what is local or private may speak plain HTTP", async (t) => {
  for (const [host, is] of HOSTS) {
    await t.step(host, () => assert.equal(isLocalOrPrivate(host), is));
  }
});
