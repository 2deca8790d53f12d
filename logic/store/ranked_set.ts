const BLOCK_MAX = 1_024;

/**
 * Numbers in ascending order, from which a page is cut at any rank: blocks of bounded length, so
 * that adding and deleting move little, and finding a rank counts blocks instead of numbers.
 */
export class RankedSet {
  #blocks: number[][] = [];
  #size = 0;

  /** `sorted` must ascend. */
  constructor(sorted: readonly number[] = []) {
    for (let index = 0; index < sorted.length; index += BLOCK_MAX / 2)
      this.#blocks.push(sorted.slice(index, index + BLOCK_MAX / 2));
    this.#size = sorted.length;
  }

  get size(): number {
    return this.#size;
  }

  /** A number that is there already is there once. */
  add(value: number): void {
    const at = this.#blockOf(value);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([value]);
      this.#size += 1;
      return;
    }
    const index = lowerBound(block, value);
    if (block[index] === value) return;
    block.splice(index, 0, value);
    this.#size += 1;
    if (block.length > BLOCK_MAX) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_MAX / 2));
  }

  delete(value: number): void {
    const at = this.#blockOf(value);
    const block = this.#blocks[at];
    const index = block === undefined ? 0 : lowerBound(block, value);
    if (block === undefined || block[index] !== value) return;
    block.splice(index, 1);
    this.#size -= 1;
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  /** At most `limit` numbers from rank `offset` on. */
  page(offset: number, limit: number): readonly number[] {
    const page: number[] = [];
    let skip = offset;
    for (const block of this.#blocks) {
      if (page.length >= limit) break;
      if (skip < block.length) page.push(...block.slice(skip, skip + limit - page.length));
      skip = Math.max(0, skip - block.length);
    }
    return page;
  }

  /** The last block that begins at or before the value: where it is, or would go. */
  #blockOf(value: number): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle]?.[0] ?? 0) <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The first index whose number is not below the value. */
function lowerBound(block: readonly number[], value: number): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
