/** Requests and answers between a process and its child. */
import { systemClock, withLimit } from '#clock.ts';
import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';

interface Request {
  name: string;
  argument: unknown;
}

type Answer = { value: unknown } | { error: string };

/** In the child: functions that the parent may call, one at a time. */
export function answerRequests(functions: Record<string, (argument: never) => unknown>): void {
  process.on('message', ({ name, argument }: Request) => {
    void (async () => {
      let answer: Answer;
      try {
        answer = { value: await functions[name]?.(argument as never) };
      } catch (error) {
        answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
      }
      process.send?.(answer);
    })();
  });
}

/** In the parent: a child that answers. */
export class Helper {
  readonly #child: ChildProcess;
  #settle: ((answer: Answer) => void) | undefined;

  constructor(program: string, execArgv: string[] = []) {
    this.#child = fork(program, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (answer: Answer) => this.#settle?.(answer));
    this.#child.on('exit', (code, signal) => this.#settle?.({ error: `${program} ended: ${code ?? signal}` }));
  }

  /** @throws {Error} what the function threw; that the child is no more, or does not answer within `limitMs`. */
  async request<T>(name: string, argument: unknown = null, limitMs = 60_000): Promise<T> {
    const answered = new Promise<Answer>((resolve) => (this.#settle = resolve));
    this.#child.send({ name, argument } satisfies Request);
    const onTimeout = (): Error => new Error(`No answer to ${name} within ${limitMs / 1000} s`);
    const answer = await withLimit(systemClock, answered, { ms: limitMs, onTimeout });
    if ('error' in answer) throw new Error(answer.error);
    return answer.value as T;
  }

  /** Ends the child. */
  end(): void {
    this.#child.disconnect();
  }
}
