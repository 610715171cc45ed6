/** `twostep`: the command line's entrance. */
import process from 'node:process';
import { runCommandLine } from './program.ts';

// A reader that has seen enough (`| head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  stdin: process.stdin,
  env: process.env,
  onInterrupt: (callback) => {
    let asked = false;
    const interrupt = (): void => {
      // Who asks twice does not want to wait.
      if (asked) process.exit(130);
      asked = true;
      callback();
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
  },
});
// A board that was given up (a hung serial driver) must not keep the process alive; what is written still has to go out.
process.stdout.write('', () => process.exit());
