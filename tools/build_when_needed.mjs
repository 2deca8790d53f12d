// Compiles dist/ when a source file is newer than the last build, so that `npm start` just works.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = join(root, 'dist', 'app.js');
const OTHER_FOLDERS = ['node_modules', 'dist', 'data', 'logs', '.git', 'coverage'];

function newestOf(folder) {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return OTHER_FOLDERS.includes(entry.name) ? 0 : newestOf(path);
    return /\.ts$|^tsconfig\.json$|^package-lock\.json$/.test(entry.name)
      ? statSync(path).mtimeMs
      : 0;
  });
  return Math.max(0, ...times);
}

const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const stamp = join(root, 'dist', '.tsbuildinfo');
const isFresh =
  existsSync(program) && existsSync(stamp) && statSync(stamp).mtimeMs >= newestOf(root);

// Without the compiler (npm ci --omit=dev) the dist/ that was shipped is what there is to run.
if (!isFresh && (existsSync(compiler) || !existsSync(program))) {
  const { status } = spawnSync(process.execPath, [compiler, '-p', root], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
