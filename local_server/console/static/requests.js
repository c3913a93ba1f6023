// Bodies of the REST API, by rows and by columns, from the values of the form.

import { write } from "./json.js";

/** Return whether requests by rows exist: every input has an open first dimension. */
export function canSendRows(signature) {
  return signature.inputs.length > 0 &&
    signature.inputs.every((spec) => spec.shape === null || (spec.shape.length > 0 && spec.shape[0] === null));
}

/** Return a body; `values` are [alias, value], each of one row if the form has rows. */
export function bodyOf(signature, values, form) {
  const named = signature.name === "serving_default" ? {} : { signature_name: signature.name };
  const isLone = values.length === 1;
  const byRow = canSendRows(signature);
  if (form === "rows") {
    return write({ ...named, instances: [isLone ? values[0][1] : Object.fromEntries(values)] });
  }
  const columns = values.map(([alias, value]) => [alias, byRow ? [value] : value]);
  return write({ ...named, inputs: isLone ? columns[0][1] : Object.fromEntries(columns) });
}

/** Return the path of a version's method. */
export function predictPath(card, signature) {
  return `/v1/models/${encodeURIComponent(card.model)}/versions/${card.version}:${signature.method}`;
}
