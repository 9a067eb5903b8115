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
endfunction()
