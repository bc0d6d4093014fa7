// Uploads 3 MB in chunks, breaks off half-way, resumes with a client that knows the address alone, and prints the id.
import { Upload } from 'tus-js-client';

const content = Buffer.alloc(3_000_000);
for (let at = 0; at < content.length; at += 1) content[at] = at % 251;
const common = {
	endpoint: `${process.env.ACTA_URL}/files/tus`,
	headers: { Authorization: `Bearer ${process.env.ACTA_TOKEN}` },
	chunkSize: 700_000,
	metadata: { filename_download: 'big.bin', type: 'application/octet-stream' },
};

const address = await new Promise((resolve, reject) => {
	const upload = new Upload(content, {
		...common,
		onError: reject,
		onChunkComplete: (_size, accepted) => {
			if (accepted > 1_000_000) upload.abort().then(() => resolve(upload.url));
		},
	});
	upload.start();
});

let file = '';
await new Promise((resolve, reject) => {
	new Upload(content, {
		...common,
		uploadUrl: address.startsWith('/') ? process.env.ACTA_URL + address : address,
		onError: reject,
		onSuccess: resolve,
		onAfterResponse: (_request, response) => {
			file = response.getHeader('Directus-File-Id') ?? file;
		},
	}).start();
});
console.log(file);
