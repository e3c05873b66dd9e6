import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { digestOf, HoldfastError } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { type ComponentRepository, publishRepositories } from "./repositories.ts";

const URLS = ["https://reader:secret@git.example.com/a.git", "https://git.example.com/b.git@v1"];

class Refused extends HoldfastError<"Refused"> {}

function component(repos: readonly string[]) {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "web", required: true, repos }],
  })));
  return definition.components[0] ?? assert.fail("no component");
}

/** Publishes into a list, until `fails` throws. */
async function publish(repos: readonly string[], fails: (url: string) => void = () => {}) {
  const [steps, published]: [string[], ComponentRepository[]] = [[], []];
  await publishRepositories(component(repos), {
    ...{ directory: "/repos", packageName: "shop", digest: digestOf("shop") },
    target: {
      nameOf: (url) => url.replace(/^.*\//, ""),
      publish: (repository) => {
        fails(repository.url);
        published.push(repository);
        return Promise.resolve();
      },
    },
    step: async (name, action) => {
      steps.push(`begin ${name}`);
      await action();
      steps.push(`done ${name}`);
    },
  });
  return { steps, published };
}

Deno.test("a component's repositories are published one after the other, each a step", async () => {
  const { steps, published } = await publish(URLS);
  assert.deepEqual(steps, ["begin a.git", "done a.git", "begin b.git@v1", "done b.git@v1"]);
  assert.deepEqual(
    published,
    URLS.map((url) => ({
      ...{ url, directory: "/repos", packageName: "shop", digest: digestOf("shop") },
    })),
  );
  assert.deepEqual(await publish([]), { steps: [], published: [] });
});

Deno.test("a failure names the repository, and what is to be done stays", async () => {
  const fails = (url: string) => {
    if (!url.includes("b.git")) return;
    throw new Refused({
      ...{ reason: "Refused", message: "no", kept: "all", remedy: "ask", disposition: "retry" },
    });
  };
  await assert.rejects(publish(URLS, fails), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "RepositoryFailed");
    assert.equal(error.message, "git repository b.git@v1: no");
    assert.deepEqual([error.kept, error.remedy, error.disposition], ["all", "ask", "retry"]);
    return true;
  });
  const bug = new TypeError("bug");
  const throwsBug = () => {
    throw bug;
  };
  await assert.rejects(publish(URLS, throwsBug), bug, "what is no failure stays as it is");
});

Deno.test("no password of a URL is in a message", async () => {
  const fails = () => {
    throw new Refused({ reason: "Refused", message: "no" });
  };
  await assert.rejects(publish(URLS, fails), (error) => {
    assert.doesNotMatch(String(error), /secret/);
    return true;
  });
});
