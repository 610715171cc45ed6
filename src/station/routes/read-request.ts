/** Reads what a request says, by the schemas of `api.ts`. */
import * as v from 'valibot';
import { Refusal } from '../refusal.ts';

/** @throws {Refusal} `bad-request` that says where it is wrong. */
export function readBody<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = v.getDotPath(issue) ?? 'body';
  throw new Refusal('bad-request', `${place}: ${issue.message}`);
}
