# Included: adds the target that writes quern_version.h. Run as a script (cmake -P): writes it, only when it changed.
if(CMAKE_SCRIPT_MODE_FILE)
  set(commit "unknown")
  execute_process(COMMAND git describe --always --dirty --exclude=* --abbrev=12 WORKING_DIRECTORY ${SOURCE_DIR}
                  OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(status STREQUAL "0")
    set(commit "${described}")
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define QUERN_VERSION \"${VERSION}\"\n#define QUERN_COMMIT \"${commit}\"\n")
else()
  set(version_header ${CMAKE_BINARY_DIR}/generated/quern_version.h)
  add_custom_target(quern_version BYPRODUCTS ${version_header}
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${version_header}
            -DVERSION=${PROJECT_VERSION} -P ${CMAKE_CURRENT_LIST_DIR}/version.cmake)
  add_dependencies(quern_base quern_version)
  target_include_directories(quern_base PRIVATE ${CMAKE_BINARY_DIR}/generated)
endif()
