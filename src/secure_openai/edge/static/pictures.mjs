// Photos as large as may be sent: made smaller here, upright, without what a camera writes beside them.
const READ = new Set(["image/png", "image/jpeg", "image/webp"]);
const SIDES = [2048, 1600, 1200, 800];
const QUALITY = 0.86;
// What is larger than this is not taken apart: a browser would need many times as much for it.
const LARGEST_READ = 60_000_000;

// Returns { body, width, height } of what is to be sent, or null where the file goes as it is.
// Throws where this browser cannot read it.
export async function fitted(file, largest) {
  if (READ.has(file.type) && file.size <= largest) return null;
  if (file.size > LARGEST_READ) throw new RangeError(file.name);
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    for (const side of SIDES) {
      const made = await drawn(picture, side);
      if (made.body.size <= largest) return made;
    }
  } finally {
    picture.close();
  }
  throw new RangeError(file.name);
}

async function drawn(picture, side) {
  const share = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * share));
  canvas.height = Math.max(1, Math.round(picture.height * share));
  const pen = canvas.getContext("2d");
  // What shines through would be black.
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const body = await new Promise((go) => canvas.toBlob(go, "image/jpeg", QUALITY));
  if (!body) throw new RangeError("canvas");
  return { body, width: canvas.width, height: canvas.height };
}
