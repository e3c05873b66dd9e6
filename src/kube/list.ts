import { objectOf, queryOf } from "./encoding.ts";
import { KubeError } from "./errors.ts";
import type { KubeList, KubeObject, ListOptions, ResourceRef } from "./types.ts";

/** Objects in one answer (client-go, tools/pager). */
const PAGE = 500;
/** The most objects that a list takes into memory. */
export const MAX_ITEMS = 50_000;
/** How often a list starts again because its continuation became too old. */
const MAX_RESTARTS = 3;

/** Fetches one page; the argument is its query. */
type FetchPage = (query: string) => Promise<unknown>;

interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly next: string;
}

/**
 * Fetches all pages of a list. When the server forgot the list's version in between, it starts
 * again; when a page is too large, it asks for smaller ones.
 */
export async function listAll<T extends KubeObject>(
  fetchPage: FetchPage,
  ref: ResourceRef,
  options: ListOptions,
): Promise<KubeList<T>> {
  for (let restart = 0;; restart++) {
    try {
      return await listOnce<T>(fetchPage, ref, options);
    } catch (error) {
      const expired = error instanceof KubeError && error.reason === "Gone";
      if (!expired || restart === MAX_RESTARTS) throw error;
    }
  }
}

async function listOnce<T extends KubeObject>(
  fetchPage: FetchPage,
  ref: ResourceRef,
  options: ListOptions,
): Promise<KubeList<T>> {
  const wanted = options.limit ?? Infinity;
  const items: T[] = [];
  let size = Math.min(PAGE, wanted);
  for (let next = "";;) {
    const { labelSelector, fieldSelector } = options;
    const query = { labelSelector, fieldSelector, continue: next || undefined };
    let page: Page;
    try {
      page = pageOf(await fetchPage(queryOf({ ...query, limit: String(size) })), ref);
    } catch (error) {
      if (!(error instanceof KubeError) || error.reason !== "TooLarge" || size === 1) throw error;
      size = Math.ceil(size / 2);
      continue;
    }
    for (const item of page.items) items.push(objectOf<T>(item, ref));
    next = page.next;
    if (next === "" || items.length >= wanted) {
      return { items: items.slice(0, wanted), resourceVersion: page.resourceVersion };
    }
    if (items.length > MAX_ITEMS) throw tooMany(ref);
  }
}

function pageOf(value: unknown, ref: ResourceRef): Page {
  const { items, metadata } = value as {
    items?: unknown;
    metadata?: { resourceVersion?: unknown; continue?: unknown };
  };
  const resourceVersion = metadata?.resourceVersion;
  if (!(Array.isArray(items) || items === null) || typeof resourceVersion !== "string") {
    throw new KubeError({
      reason: "BadResponse",
      message: `the API server's answer is not a list of ${ref.kind}`,
    });
  }
  const next = metadata?.continue;
  return { items: items ?? [], resourceVersion, next: typeof next === "string" ? next : "" };
}

function tooMany(ref: ResourceRef): KubeError {
  return new KubeError({
    reason: "TooLarge",
    message: `there are more than ${MAX_ITEMS} objects of kind ${ref.kind}`,
    remedy: "choose fewer with a selector or a namespace",
  });
}
