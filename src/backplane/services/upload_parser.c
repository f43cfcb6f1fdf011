/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/upload_parser.h"

enum { CONTENT_FIELD = 1, WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

void upload_parser_start(struct upload_parser *parser) {
	*parser = (struct upload_parser){.state = PARSER_TAG};
}

bool upload_parser_may_end(const struct upload_parser *parser) {
	return parser->state == PARSER_TAG && parser->shift == 0;
}

static int malformed(struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT,
			 "the message is malformed: its bytes are not an UploadArtefactRequest");
}

/* Adds a byte to the varint. Returns 1 when it is complete, 0 when more bytes must follow, -1 when it is too long. */
static int add_byte(struct upload_parser *parser, unsigned char byte) {
	if (parser->shift > 63)
		return -1;
	parser->number |= (uint64_t)(byte & 0x7F) << parser->shift;
	parser->shift += 7;
	if (byte & 0x80)
		return 0;
	parser->shift = 0;
	return 1;
}

static void enter(struct upload_parser *parser, uint64_t length, bool is_content) {
	parser->number = length;
	parser->state = length == 0 ? PARSER_TAG : is_content ? PARSER_CONTENT : PARSER_SKIP;
}

static int on_tag(struct upload_parser *parser) {
	uint64_t tag = parser->number;
	parser->number = 0;
	parser->is_content = tag == (CONTENT_FIELD << 3 | WIRE_BYTES);
	switch (tag & 7) {
	case WIRE_VARINT:
		parser->state = PARSER_VARINT;
		return 0;
	case WIRE_64:
		enter(parser, 8, false);
		return 0;
	case WIRE_32:
		enter(parser, 4, false);
		return 0;
	case WIRE_BYTES:
		parser->state = PARSER_LENGTH;
		return 0;
	default:
		return -1;
	}
}

static int on_varint(struct upload_parser *parser) {
	switch (parser->state) {
	case PARSER_TAG:
		return on_tag(parser);
	case PARSER_VARINT:
		enter(parser, 0, false);
		return 0;
	case PARSER_LENGTH:
		enter(parser, parser->number, parser->is_content);
		return 0;
	case PARSER_SKIP:
	case PARSER_CONTENT:
		return -1;
	}
	return -1;
}

int upload_parser_next(struct upload_parser *parser, struct str *bytes, struct str *ret_piece, struct error *err) {
	while (bytes->len > 0) {
		if (parser->state == PARSER_SKIP || parser->state == PARSER_CONTENT) {
			bool is_content = parser->state == PARSER_CONTENT;
			struct str piece = str_new(bytes->ptr, (size_t)MIN(parser->number, (uint64_t)bytes->len));
			*bytes = str_from_offset(*bytes, piece.len);
			enter(parser, parser->number - piece.len, is_content);
			if (is_content) {
				*ret_piece = piece;
				return 0;
			}
			continue;
		}
		int complete = add_byte(parser, (unsigned char)bytes->ptr[0]);
		*bytes = str_from_offset(*bytes, 1);
		if (complete < 0 || (complete > 0 && on_varint(parser) < 0))
			return malformed(err);
		if (complete > 0 && parser->state == PARSER_TAG)
			parser->number = 0;
	}
	*ret_piece = str_new("", 0);
	return 0;
}
