# The page that `quern serve` shows (web/page), and the libraries of Debian that it uses.
file(GLOB_RECURSE page_paths CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/web/page ${CMAKE_SOURCE_DIR}/web/page/*)
set(page_files "")
foreach(path IN LISTS page_paths)
  list(APPEND page_files ${path} ${CMAKE_SOURCE_DIR}/web/page/${path})
endforeach()
quern_asset_files(quern_server page_files ${page_files}
  lib/chart.js /usr/share/javascript/chart.js/chart.min.js
  lib/marked.js /usr/share/javascript/marked/marked.umd.min.js
  lib/purify.js /usr/share/nodejs/dompurify/dist/purify.min.js
  lib/highlight.js /usr/share/javascript/highlight.js/highlight.min.js)
