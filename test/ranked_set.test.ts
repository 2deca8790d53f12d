import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RankedSet } from '../logic/store/ranked_set.ts';

describe('a ranked set', () => {
  it('pages like a sorted list, whatever is added and deleted', () => {
    const step = fc.record({ isAdd: fc.boolean(), value: fc.integer({ min: 0, max: 400 }) });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 600 }),
        fc.nat(300),
        fc.nat(50),
        (steps, at, limit) => {
          const set = new RankedSet();
          const model = new Set<number>();
          for (const { isAdd, value } of steps) {
            if (isAdd) set.add(value);
            else set.delete(value);
            if (isAdd) model.add(value);
            else model.delete(value);
          }
          const sorted = [...model].sort((a, b) => a - b);
          assert.equal(set.size, sorted.length);
          assert.deepEqual(set.page(at, limit), sorted.slice(at, at + limit));
        },
      ),
    );
  });

  it('keeps its order over many blocks', () => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => index * 2);
    const set = new RankedSet(numbers);
    for (let value = 1; value < 20_000; value += 2) set.add(value);
    for (let value = 0; value < 20_000; value += 4) set.delete(value);
    const left = Array.from({ length: 20_000 }, (_, index) => index).filter((n) => n % 4 !== 0);
    assert.deepEqual(set.page(0, 20_000), left);
    assert.deepEqual(set.page(14_990, 20), left.slice(14_990));
    assert.deepEqual(set.page(15_000, 20), []);
  });
});
