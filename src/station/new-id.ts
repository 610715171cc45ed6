import { randomBytes } from 'node:crypto';

/** 96 random bits in 16 characters that need no escape in a URL or a file name: nobody guesses one, and none comes twice. */
export const newId = (): string => randomBytes(12).toString('base64url');
