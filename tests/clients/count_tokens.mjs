// Counts tokens as current models do (o200k_base): reads a JSON list of texts, prints their counts.
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";

let text = "";
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(JSON.parse(text).map((one) => countTokens(one))));
