/* SPDX-License-Identifier: Apache-2.0 */
#include "base/line_splitter.h"

#include "base/text.h"

void line_splitter_init(struct line_splitter *splitter) {
	*splitter = (struct line_splitter){.begun = BUF_INIT(LOG_LINE_MAX)};
}

void line_splitter_deinit(struct line_splitter *splitter) {
	buf_deinit(&splitter->begun);
}

static void append(struct buf *to, struct str bytes) {
	int over = buf_append(to, bytes);
	ASSERT(over == 0);
}

/* Replaces control characters, tabs aside, by blanks. */
static void blank_controls(char *text, size_t len) {
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
			text[i] = ' ';
}

static void finish_line(struct line_splitter *splitter, line_function *on_line, void *data) {
	struct str line = buf_view(&splitter->begun);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len > 0) {
		/* An invalid byte becomes U+FFFD, three bytes. */
		struct buf repaired = BUF_INIT((size_t)LOG_LINE_MAX * 3 + 64);
		text_repair(&repaired, line);
		blank_controls((char *)buf_view(&repaired).ptr, buf_len(&repaired));
		if (splitter->cut > 0) {
			int over = buf_printf(&repaired, "… (%zu more bytes)", splitter->cut);
			ASSERT(over == 0);
		}
		on_line(data, buf_view(&repaired));
		buf_deinit(&repaired);
	}
	buf_clear(&splitter->begun);
	buf_trim(&splitter->begun);
	splitter->cut = 0;
}

void line_splitter_feed(struct line_splitter *splitter, struct str bytes, line_function *on_line, void *data) {
	while (bytes.len > 0) {
		const char *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
		size_t keep = MIN(len, buf_room(&splitter->begun));
		append(&splitter->begun, str_new(bytes.ptr, keep));
		splitter->cut += len - keep;
		bytes = str_from_offset(bytes, end ? len + 1 : len);
		if (end != NULL)
			finish_line(splitter, on_line, data);
	}
}

/* The bytes at the end of text that begin a UTF-8 character and do not complete it. */
static size_t incomplete_character(struct str text) {
	for (size_t back = 1; back <= MIN(text.len, (size_t)3); back++) {
		unsigned char byte = (unsigned char)text.ptr[text.len - back];
		if ((byte & 0xC0) == 0x80)
			continue; /* a later byte of a character */
		size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
		return size > back ? back : 0;
	}
	return 0;
}

void line_splitter_flush(struct line_splitter *splitter, line_function *on_line, void *data) {
	struct str begun = buf_view(&splitter->begun);
	size_t kept = splitter->cut > 0 ? 0 : incomplete_character(begun);
	if (kept == begun.len)
		return;
	struct buf whole = splitter->begun;
	splitter->begun = BUF_INIT(LOG_LINE_MAX);
	append(&splitter->begun, str_new(begun.ptr, begun.len - kept));
	finish_line(splitter, on_line, data);
	append(&splitter->begun, str_from_offset(begun, begun.len - kept));
	buf_deinit(&whole);
}

void line_splitter_end(struct line_splitter *splitter, line_function *on_line, void *data) {
	finish_line(splitter, on_line, data);
}
