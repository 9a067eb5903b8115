// The page at "/", on which models are talked to, compared and watched: files of web/page, embedded into the program.
// They hold no data, so that anybody may have them; what the page shows, it asks the API for.
#pragma once

#include <set>
#include <string>

#include "server/router.h"

namespace quern::server {

// GET of "/" and "/page/{file...}": from memory, with types, ETags and a policy that lets the page load nothing from
// elsewhere.
void add_page(Router& router);

// "/", and "/page/..." of each file.
std::set<std::string, std::less<>> page_paths();

}  // namespace quern::server
