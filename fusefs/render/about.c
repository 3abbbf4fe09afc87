/*
 * about.c - the files that describe a segment: info, schema, raw.
 */
#include "render.h"

int render_info(struct request *request, struct kymo_text *text)
{
    if (request->has_instant)
        return kymo_text_info_as_of(text, request->reader, request_now(request));
    return kymo_text_info(text, request->reader);
}

int render_schema(struct request *request, struct kymo_text *text)
{
    kymo_text_schema(text, request_schema(request));
    kymo_text_append(text, "\n", 1);
    return text->error;
}

int render_link(struct request *request, struct kymo_text *text)
{
    kymo_text_printf(text, "%s/%s", kymo_directory(), request->segment->name);
    return text->error;
}
