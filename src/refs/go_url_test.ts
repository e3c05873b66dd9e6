import assert from "node:assert/strict";
import { processorTime, randomNumbers } from "../../test/fakes/testing.ts";
import { formatGoUrl, hostnameOf, parseGoUrl } from "./go_url.ts";

/** What Go 1.26 says of each: `URL.Hostname()` and `URL.String()`. */
const READ: [text: string, hostname: string, written: string][] = [
  ["https://github.com/org/repo.git", "github.com", "https://github.com/org/repo.git"],
  ["HTTPS://Host:8080/Path?Q#F", "Host", "https://Host:8080/Path?Q#F"],
  ["oci:x/y?z", "", "oci:x/y?z"],
  ["mailto:", "", "mailto:"],
  ["a:b@c", "", "a:b@c"],
  ["x:/y", "", "x:/y"],
  ["x:///y", "", "x:///y"],
  ["//host/path", "host", "//host/path"],
  ["///path", "", "///path"],
  ["a/b:c", "", "a/b:c"],
  ["./a:b", "", "./a:b"],
  ["*", "", "*"],
  ["", "", ""],
  ["?", "", "?"],
  ["a??", "", "a??"],
  ["a?b?c", "", "a?b?c"],
  ["#", "", ""],
  ["a#f g%41", "", "a#f%20gA"],
  ["a#%2a!", "", "a#%2a!"],
  ["https://u@h", "h", "https://u@h"],
  ["https://u:p%40:q@h/", "h", "https://u:p%40%3Aq@h/"],
  ["https://@h", "h", "https://@h"],
  ["https://:@h", "h", "https://:@h"],
  ["https://a@b@c", "c", "https://a%40b@c"],
  ["http://h:", "h", "http://h:"],
  ["http://[::1]:80/x", "::1", "http://[::1]:80/x"],
  ["http://[fe80::1%25en0]/", "fe80::1%en0", "http://[fe80::1%25en0]/"],
  ["http://[fe80::1%25%20x]/", "fe80::1% x", "http://[fe80::1%25%20x]/"],
  ["http://[::ffff:1.2.3.4]", "::ffff:1.2.3.4", "http://[::ffff:1.2.3.4]"],
  ["http://ü/ü", "\xc3\xbc", "http://%C3%BC/%C3%BC"],
  ["http://h%c3%bc/", "h\xc3\xbc", "http://h%C3%BC/"],
  ["http://h/a b", "h", "http://h/a%20b"],
  ["http://h/[a]", "h", "http://h/[a]"],
  ["http://h/[a] ", "h", "http://h/%5Ba%5D%20"],
  ["http://h/%2f%41", "h", "http://h/%2f%41"],
  ['http://h/"<>^`{|}', "h", "http://h/%22%3C%3E%5E%60%7B%7C%7D"],
  ["http://h/€?€#€", "h", "http://h/%E2%82%AC?€#%E2%82%AC"],
  ["postgres://a:1,b:2/x", "a:1,b", "postgres://a:1,b:2/x"],
  ['http://a<b>"c', 'a<b>"c', 'http://a<b>"c'],
];

Deno.test("a URL is read and written as Go does it", async (t) => {
  for (const [text, hostname, written] of READ) {
    await t.step(JSON.stringify(text), () => {
      const url = parseGoUrl(text) ?? assert.fail("it is refused");
      assert.equal(hostnameOf(url), hostname);
      assert.equal(formatGoUrl(url), written);
    });
  }
});

Deno.test("the parts of a URL are held apart", () => {
  assert.deepEqual(parseGoUrl("SSH://u:p%40@h:1/a%2fb?q#f"), {
    scheme: "ssh",
    user: { name: "u", password: "p@" },
    host: "h:1",
    omitsHost: false,
    path: "/a%2fb",
    query: "q",
    fragment: "f",
  });
  assert.deepEqual(parseGoUrl("oci:x"), {
    scheme: "oci",
    opaque: "x",
    host: "",
    omitsHost: false,
    path: "",
    fragment: "",
  });
});

Deno.test("what Go refuses is refused", async (t) => {
  const cases = [
    ...[":", ":a", "git@github.com:a/b", "!a:b", "http://a:1,b:2/x", "http://h:x", "http://::1/"],
    ...["http://a[::1]", "http://[1.2.3.4]", "http://[::1", "http://[::1]x", "http://[::1%25]/"],
    ...["http://[::1%en0]/", "http://[fe80::1%25%2f]/", "http://h h/", "http://h%20h/"],
    ...["http://h\\/", "http://a b@h", "http://u%zz@h", "http://u:%zz@h", "http://h/%"],
    ...["http://h/%4", "http://h#%zz", "http://h/%41%2f%zz", "a\tb", "a\x7fb", "http://h/\0"],
    `http://h/${"a".repeat(4096)}`,
  ];
  for (const text of cases) {
    await t.step(JSON.stringify(text.slice(0, 40)), () => {
      assert.equal(parseGoUrl(text), undefined);
    });
  }
});

Deno.test("what was written is read again as the same", () => {
  const random = randomNumbers(20261125);
  const parts = [
    ...[
      "http://",
      "//",
      "/",
      ":",
      "@",
      "?",
      "#",
      "%25",
      "%41",
      "%ff",
      "[::1]",
      "a",
      "B",
      "ü",
      "😀",
    ],
    ...[" ", "*", "+", ",", ";", "<", '"', "|", ".", "..", "x:", ":80", "{", "\\"],
  ];
  let read = 0;
  for (let run = 0; run < 5000; run++) {
    const text = Array.from(
      { length: 1 + random() * 8 },
      () => parts[Math.floor(random() * parts.length)],
    ).join("");
    const url = parseGoUrl(text);
    if (url === undefined) continue;
    read++;
    const written = formatGoUrl(url);
    const again = parseGoUrl(written) ?? assert.fail(`${text} became ${written}`);
    assert.equal(formatGoUrl(again), written, text);
    assert.equal(hostnameOf(again), hostnameOf(url), text);
  }
  assert.ok(read > 1000, `${read} of 5000 could be read`);
});

Deno.test("a long URL is answered at once", () => {
  const started = processorTime();
  for (const unit of ["%", "%4", "%41", "%25", "[", "@", ":", "a:", "/", "?", "#", "ü", "\\"]) {
    for (const start of ["", "http://", "http://h/", "http://h#", "http://["]) {
      const url = parseGoUrl((start + unit.repeat(4096)).slice(0, 4096));
      if (url !== undefined) formatGoUrl(url);
    }
  }
  const took = processorTime() - started;
  assert.ok(took < 2_000, `${took} ms`);
});
