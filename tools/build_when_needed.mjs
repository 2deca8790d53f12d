// Builds when a source file is newer than the last build, so that `npm start` just works.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = join(root, 'dist', 'app.js');
const OTHER_FOLDERS = ['node_modules', 'dist', 'data', 'logs', '.git', 'coverage', 'bench/results'];

/** A folder counts too: its time tells that a file was removed. */
function newestOf(folder, name = '') {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name);
    const within = name === '' ? entry.name : `${name}/${entry.name}`;
    if (entry.isDirectory()) return OTHER_FOLDERS.includes(within) ? 0 : newestOf(path, within);
    return /\.ts$|^tsconfig\.json$|^package-lock\.json$/.test(entry.name)
      ? statSync(path).mtimeMs
      : 0;
  });
  return Math.max(name === '' ? 0 : statSync(folder).mtimeMs, ...times);
}

const hasCompiler = existsSync(join(root, 'node_modules', 'typescript'));
const isFresh = existsSync(program) && statSync(program).mtimeMs >= newestOf(root);

// Without the compiler (npm ci --omit=dev) the dist/ that was shipped is what there is to run.
if (!isFresh && (hasCompiler || !existsSync(program))) await import('./build.mjs');
