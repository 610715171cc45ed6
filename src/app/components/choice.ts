/** One value of several, as SelectField offers it. */
export interface Choice<Value extends string = string> {
  value: Value;
  label: string;
  /** One sentence about the value; shown as the field's hint while it is chosen. */
  hint?: string;
}
