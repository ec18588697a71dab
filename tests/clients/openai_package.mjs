// The JavaScript `openai` package as its users write it: reads GATEWAY and TOKEN, prints JSON.
import OpenAI, { AzureOpenAI } from "openai";

const { GATEWAY, TOKEN } = process.env;
const messages = [{ role: "user", content: "hello there" }];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, people: { type: "integer" } },
  required: ["city", "people"],
  additionalProperties: false,
};

async function used(client) {
  const model = "scripted";
  const whole = await client.chat.completions.create({ model, messages });
  let stream = "";
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    stream += chunk.choices[0]?.delta?.content ?? "";
  }
  const runner = client.chat.completions.runTools({
    model,
    messages: [{ role: "user", content: "call Berlin" }],
    tools: [
      {
        type: "function",
        function: {
          name: "weather",
          parse: JSON.parse,
          function: ({ text }) => `sun in ${text}`,
          parameters: { type: "object", properties: { text: { type: "string" } } },
        },
      },
    ],
  });
  const parsed = await client.chat.completions.create({
    model,
    messages,
    response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
  });
  const response = await client.responses.create({ model, input: "hello there" });
  const events = await client.responses.stream({ model, input: "hello there" }).finalResponse();
  const embedded = await client.embeddings.create({ model, input: "a" });
  return {
    chat: whole.choices[0].message.content,
    stream,
    told: await runner.finalContent(),
    parsed: JSON.parse(parsed.choices[0].message.content),
    response: response.output_text,
    "response stream": events.output_text,
    embedded: embedded.data[0].embedding.length,
  };
}

async function refused(apiKey) {
  const client = new OpenAI({ baseURL: `${GATEWAY}/openai/v1`, apiKey, maxRetries: 0 });
  try {
    await client.models.list();
    return null;
  } catch (error) {
    return [error.constructor.name, error.code];
  }
}

console.log(
  JSON.stringify({
    OpenAI: await used(new OpenAI({ baseURL: `${GATEWAY}/openai/v1`, apiKey: TOKEN })),
    AzureOpenAI: await used(
      new AzureOpenAI({
        endpoint: GATEWAY,
        apiVersion: "2024-10-21",
        azureADTokenProvider: async () => TOKEN,
      }),
    ),
    refused: await refused("sk-static"),
  }),
);
