/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/size.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

struct upload_size upload_size(const struct files *files) {
	struct upload_size size = {0};
	for (size_t i = 0; i < files->count; i++) {
		size.files += files->items[i].missing;
		size.bytes += files->items[i].missing ? files->items[i].size : 0;
	}
	return size;
}

/* --- what is missing ---------------------------------------------------------------------------------------------- */

int upload_hash(const struct project *project, struct files *files, struct error *err) {
	for (size_t i = 0; i < files->count; i++) {
		progress_show("%s: reading %zu of %zu files", project->module, i + 1, files->count);
		if (files_hash(project->folder, &files->items[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Asks for each digest once. by_digest: the first file of each content. */
static int ask(struct cli *cli, struct files *files, struct map *by_digest,
	       const Ftl__GetArtefactDiffsResponse **ret_diffs, struct error *err) {
	Ftl__GetArtefactDiffsRequest request = FTL__GET_ARTEFACT_DIFFS_REQUEST__INIT;
	request.client_digests = arena_alloc(&cli->arena, (files->count + 1) * sizeof *request.client_digests);
	for (size_t i = 0; i < files->count; i++) {
		struct digest_hex hex = digest_to_hex(&files->items[i].digest);
		if (map_get(by_digest, str_from(hex.text)) != NULL)
			continue;
		map_put(by_digest, str_from(hex.text), &files->items[i]);
		request.client_digests[request.n_client_digests++] = arena_strdup(&cli->arena, str_from(hex.text));
	}
	const ProtobufCMessage *response;
	if (cli_unary(cli, "GetArtefactDiffs", &request.base, &ftl__get_artefact_diffs_response__descriptor, &response,
		      err) < 0)
		return -1;
	*ret_diffs = (const Ftl__GetArtefactDiffsResponse *)response;
	return 0;
}

int upload_limit(struct cli *cli, uint64_t *ret_max, struct error *err) {
	const Ftl__GetArtefactDiffsRequest request = FTL__GET_ARTEFACT_DIFFS_REQUEST__INIT;
	const ProtobufCMessage *response;
	if (cli_unary(cli, "GetArtefactDiffs", &request.base, &ftl__get_artefact_diffs_response__descriptor, &response,
		      err) < 0)
		return -1;
	*ret_max = ((const Ftl__GetArtefactDiffsResponse *)response)->max_artefact_bytes;
	return 0;
}

int upload_find_missing(struct cli *cli, struct files *files, struct error *err) {
	const Ftl__GetArtefactDiffsResponse *diffs;
	struct map by_digest;
	map_init(&by_digest);
	int result = ask(cli, files, &by_digest, &diffs, err);
	for (size_t i = 0; result == 0 && i < diffs->n_missing_digests; i++) {
		struct file *file = map_get(&by_digest, str_from(diffs->missing_digests[i]));
		if (file == NULL)
			result = error_set(err, CODE_INTERNAL,
					   "the Backplane lacks the content %.64s, about which it was not asked",
					   diffs->missing_digests[i]);
		else
			file->missing = true;
	}
	map_deinit(&by_digest);
	return result;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

struct uploading {
	const struct project *project;
	struct upload_size total;
	size_t file; /* number of the file that is being sent, from 1 */
	uint64_t sent; /* bytes of all files */
};

static void show_progress(const struct uploading *upload) {
	char size[SIZE_TEXT_MAX];
	size_format(size, upload->sent);
	progress_show("%s: uploading %zu of %zu files, %s", upload->project->module, upload->file, upload->total.files,
		      size);
}

static int changed(const struct uploading *upload, const struct file *file, struct error *err) {
	return error_set(err, CODE_ABORTED, "%s/%s changed while it was being deployed; deploy again",
			 upload->project->folder, file->path);
}

static int send_piece(struct uploading *upload, struct client_stream *stream, struct str piece, struct error *err) {
	Ftl__UploadArtefactRequest request = FTL__UPLOAD_ARTEFACT_REQUEST__INIT;
	request.content = (ProtobufCBinaryData){.len = piece.len, .data = (uint8_t *)piece.ptr};
	upload->sent += piece.len;
	show_progress(upload);
	return client_send(stream, &request.base, err);
}

/* Sends the bytes of fd in pieces, an empty file as one empty message. Stops early when the Backplane ends the call. */
static int send_content(struct uploading *upload, int fd, const struct file *file, struct client_stream *stream,
			struct error *err) {
	char *chunk = mem_alloc(FILES_CHUNK);
	uint64_t left = file->size;
	int result = 0;
	while (result == 0 && !client_is_over(stream)) {
		ssize_t got = read(fd, chunk, FILES_CHUNK);
		if (got < 0) {
			result = error_set_errno(err, errno, "could not read %s/%s", upload->project->folder,
						 file->path);
		} else if ((uint64_t)got > left || (got == 0 && left > 0)) {
			result = changed(upload, file, err);
		} else if (got > 0 || file->size == 0) {
			struct str piece = str_new(chunk, (size_t)got);
			left -= piece.len;
			result = send_piece(upload, stream, piece, err);
		}
		if (got <= 0)
			break;
	}
	free(chunk);
	return result;
}

/* Compares the digest that the Backplane answers with the file's. If they differ the file is hashed again, to tell a
 * file that changed meanwhile from a damaged transfer. */
static int check_answer(const struct uploading *upload, const struct file *file,
			const Ftl__UploadArtefactResponse *answer, struct error *err) {
	if (answer->digest.len == DIGEST_SIZE && memcmp(answer->digest.data, file->digest.bytes, DIGEST_SIZE) == 0)
		return 0;
	struct file now = *file;
	if (files_hash(upload->project->folder, &now, err) < 0)
		return -1;
	if (!digest_eq(&now.digest, &file->digest))
		return changed(upload, file, err);
	return error_set(err, CODE_DATA_LOSS, "%s/%s was damaged on the way: the Backplane computed another digest",
			 upload->project->folder, file->path);
}

static int send_and_check(struct uploading *upload, int fd, const struct file *file, struct client_stream *stream,
			  struct error *err) {
	if (send_content(upload, fd, file, stream, err) < 0)
		return -1;
	bool cut_short = client_is_over(stream);
	client_half_close(stream);
	const ProtobufCMessage *answer = NULL;
	if (client_receive(stream, &answer, err) < 0)
		return error_wrap(err, "could not upload %s/%s", upload->project->folder, file->path);
	if (cut_short || answer == NULL)
		return error_set(err, CODE_INTERNAL,
				 "the Backplane ended the upload of %s/%s before it was complete, and gave no error",
				 upload->project->folder, file->path);
	return check_answer(upload, file, (const Ftl__UploadArtefactResponse *)answer, err);
}

static int send_file(struct cli *cli, struct uploading *upload, const struct file *file, struct error *err) {
	int fd;
	if (files_open(upload->project->folder, file, &fd, err) < 0)
		return -1;
	struct client_stream *stream = cli_start(cli, "UploadArtefact", &ftl__upload_artefact_response__descriptor, 0);
	int result = send_and_check(upload, fd, file, stream, err);
	client_stream_free(stream);
	close(fd);
	return result;
}

int upload_missing(struct cli *cli, const struct project *project, const struct files *files, struct error *err) {
	struct uploading upload = {.project = project, .total = upload_size(files)};
	for (size_t i = 0; i < files->count; i++) {
		if (!files->items[i].missing)
			continue;
		upload.file++;
		if (send_file(cli, &upload, &files->items[i], err) < 0)
			return -1;
	}
	if (upload.total.files > 0) {
		char size[SIZE_TEXT_MAX];
		size_format(size, upload.sent);
		progress_note("%s: uploaded %zu of %zu files, %s", project->module, upload.file, files->count, size);
	}
	return 0;
}
