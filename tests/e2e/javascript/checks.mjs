// A program of many checks: each is tried, whatever became of those before it. Prints how many passed, or fails with
// what each of the others met.
const SECONDS_EACH = 120;
const failures = [];
let passed = 0;

export async function check(title, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${SECONDS_EACH} s`)), SECONDS_EACH * 1000);
  });
  try {
    await Promise.race([body(), late]);
    passed++;
  } catch (error) {
    failures.push(`${title}: ${error?.stack ?? error}`);
  } finally {
    clearTimeout(timer);
  }
}

export function report() {
  for (const failure of failures) console.error(failure);
  console.log(passed);
  process.exit(failures.length === 0 ? 0 : 1);
}
