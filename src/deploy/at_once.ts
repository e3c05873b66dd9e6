/** How many objects of a cluster are asked about at once. */
const CONCURRENCY = 8;

/** Asks about each item, a few at once. What an `action` throws comes out. */
export async function atOnce<Item>(
  items: readonly Item[],
  action: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await action(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
