# quern_asset(target symbol file): the bytes of a file as `extern const std::string_view <symbol>` in namespace
# quern::assets, so that the program needs no files at run time. The literal is cut into pieces a compiler takes.
function(quern_asset target symbol file)
  set(output ${CMAKE_BINARY_DIR}/generated/assets/${symbol}.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${output} -DSYMBOL=${symbol}
            -P ${CMAKE_SOURCE_DIR}/cmake/write_asset.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/write_asset.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# quern_asset_files(target symbol path file ...): embeds each file and lists them, under their paths, as
# `extern const std::span<const File> <symbol>` (base/assets.h).
function(quern_asset_files target symbol)
  set(declarations "")
  set(rows "")
  while(ARGN)
    list(POP_FRONT ARGN path file)
    string(MAKE_C_IDENTIFIER "${symbol}_${path}" bytes)
    quern_asset(${target} ${bytes} ${file})
    string(APPEND declarations "extern const std::string_view ${bytes};\n")
    string(APPEND rows "    {\"${path}\", &${bytes}},\n")
  endwhile()
  set(output ${CMAKE_BINARY_DIR}/generated/assets/${symbol}.cpp)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include <span>

#include \"base/assets.h\"

namespace quern::assets {
@declarations@extern const std::span<const File> @symbol@;
namespace {
const File files[] = {
@rows@};
}
const std::span<const File> @symbol@(files);
}  // namespace quern::assets
")
  target_sources(${target} PRIVATE ${output})
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
