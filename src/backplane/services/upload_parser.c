/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/upload_parser.h"

enum { CONTENT_FIELD = 1, WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

void upload_parser_start(struct upload_parser *skim) {
	*skim = (struct upload_parser){.state = SKIM_TAG};
}

bool upload_parser_is_whole(const struct upload_parser *skim) {
	return skim->state == SKIM_TAG && skim->shift == 0;
}

static int malformed(struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT, "the message is malformed: it is no UploadArtefactRequest");
}

/* Adds a byte to the varint at hand. Returns 1 when it is complete, 0 when more must come, -1 when it is too long. */
static int add_byte(struct upload_parser *skim, unsigned char byte) {
	if (skim->shift > 63)
		return -1;
	skim->number |= (uint64_t)(byte & 0x7F) << skim->shift;
	skim->shift += 7;
	if (byte & 0x80)
		return 0;
	skim->shift = 0;
	return 1;
}

static void enter(struct upload_parser *skim, uint64_t length, bool is_content) {
	skim->number = length;
	skim->state = length == 0 ? SKIM_TAG : is_content ? SKIM_CONTENT : SKIM_SKIP;
}

static int on_tag(struct upload_parser *skim) {
	uint64_t tag = skim->number;
	skim->number = 0;
	skim->is_content = tag == (CONTENT_FIELD << 3 | WIRE_BYTES);
	switch (tag & 7) {
	case WIRE_VARINT:
		skim->state = SKIM_VARINT;
		return 0;
	case WIRE_64:
		enter(skim, 8, false);
		return 0;
	case WIRE_32:
		enter(skim, 4, false);
		return 0;
	case WIRE_BYTES:
		skim->state = SKIM_LENGTH;
		return 0;
	default:
		return -1;
	}
}

static int on_varint(struct upload_parser *skim) {
	switch (skim->state) {
	case SKIM_TAG:
		return on_tag(skim);
	case SKIM_VARINT:
		enter(skim, 0, false);
		return 0;
	case SKIM_LENGTH:
		enter(skim, skim->number, skim->is_content);
		return 0;
	case SKIM_SKIP:
	case SKIM_CONTENT:
		return -1;
	}
	return -1;
}

int upload_parser_next(struct upload_parser *skim, struct str *bytes, struct str *ret_piece, struct error *err) {
	while (bytes->len > 0) {
		if (skim->state == SKIM_SKIP || skim->state == SKIM_CONTENT) {
			bool is_content = skim->state == SKIM_CONTENT;
			struct str piece = str_new(bytes->ptr, (size_t)MIN(skim->number, (uint64_t)bytes->len));
			*bytes = str_from_offset(*bytes, piece.len);
			enter(skim, skim->number - piece.len, is_content);
			if (is_content) {
				*ret_piece = piece;
				return 0;
			}
			continue;
		}
		int complete = add_byte(skim, (unsigned char)bytes->ptr[0]);
		*bytes = str_from_offset(*bytes, 1);
		if (complete < 0 || (complete > 0 && on_varint(skim) < 0))
			return malformed(err);
		if (complete > 0 && skim->state == SKIM_TAG)
			skim->number = 0;
	}
	*ret_piece = str_new("", 0);
	return 0;
}
