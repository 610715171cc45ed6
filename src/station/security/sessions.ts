/** Who may change things: a random token in a cookie, kept only as its digest. */
import { createHash, randomBytes } from 'node:crypto';
import { type SessionStore } from '../store/session-store.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Without use. */
const LIFETIME_MS = 90 * DAY_MS;
const MOST_SESSIONS = 1000;
/** Uses within this time are not written down each. */
const TOUCH_MS = 3600 * 1000;

const digest = (token: string): string => createHash('sha256').update(token).digest('hex');

export class Sessions {
  readonly #store: SessionStore;
  readonly #now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(store: SessionStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** @returns the token of a new session. */
  open(): string {
    const token = randomBytes(32).toString('base64url');
    const now = this.#now();
    this.#store.add(digest(token), now);
    this.#store.prune(now - LIFETIME_MS, MOST_SESSIONS);
    return token;
  }

  isOpen(token: string | undefined): boolean {
    if (token === undefined) return false;
    const hash = digest(token);
    const session = this.#store.get(hash);
    const now = this.#now();
    if (!session || session.usedAt < now - LIFETIME_MS) return false;
    if (session.usedAt < now - TOUCH_MS) this.#store.touch(hash, now);
    return true;
  }
}

export interface CookieOptions {
  name: string;
  secure: boolean;
}

/** The value of a `Set-Cookie` header. */
export const sessionCookie = (token: string, { name, secure }: CookieOptions): string =>
  `${name}=${token}; Path=/; Max-Age=${LIFETIME_MS / 1000}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;

/** The value of one cookie in a `Cookie` header. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [key, value] = part.split('=', 2);
    if (key?.trim() === name) return value?.trim();
  }
  return undefined;
}
