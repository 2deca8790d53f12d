/** Says that nobody knows this path, and which known one may be meant. */
export function unknownKey(path: string, known: readonly string[]): string {
  const nearest = nearestTo(path, known);
  return nearest === undefined ? 'unknown key' : `unknown key, did you mean ${nearest}?`;
}

const LETTERS_MAX = 64;

/** The known path that a misspelt, misplaced or wrongly separated one most likely stands for. */
function nearestTo(path: string, known: readonly string[]): string | undefined {
  const wanted = lettersOf(path);
  const limit = Math.max(1, wanted.length / 4);
  const distanceTo = (letters: string) =>
    Math.abs(letters.length - wanted.length) > limit ? Infinity : editsBetween(wanted, letters);
  const [nearest] = known
    .map((each) => {
      const misplaced = 0.5 + distanceTo(lettersOf(each.slice(each.lastIndexOf('.') + 1)));
      return { each, distance: Math.min(distanceTo(lettersOf(each)), misplaced) };
    })
    .sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= limit ? nearest.each : undefined;
}

function lettersOf(path: string): string {
  return path
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, LETTERS_MAX);
}

/** Letters to add, drop, change or swap with their neighbour to turn one word into the other. */
function editsBetween(a: string, b: string): number {
  const cost = (rows: readonly number[][], i: number, j: number) => rows[i]?.[j] ?? Infinity;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const change = cost(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? cost(rows, i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(cost(rows, i - 1, j) + 1, cost(rows, i, j - 1) + 1, change, swap));
    }
  }
  return cost(rows, a.length, b.length);
}
