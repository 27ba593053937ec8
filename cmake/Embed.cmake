# drover_embed(<layer> GLOB <pattern>... [JOIN <name> <folder>]): each file becomes a string in the generated
# drover::<layer>::embedded_files() (path relative to src/<layer>, text), declared in drover/<layer>/embedded.hpp.
# With JOIN, the shell files of that folder become one string more, called <name>, one after the other by their names.
function(drover_embed layer)
  cmake_parse_arguments(ARG "" "" "GLOB;JOIN" ${ARGN})
  set(patterns)
  foreach(pattern ${ARG_GLOB})
    list(APPEND patterns ${CMAKE_SOURCE_DIR}/${pattern})
  endforeach()
  file(GLOB files CONFIGURE_DEPENDS ${patterns})
  set(joined_name "")
  set(joined_files "")
  if(ARG_JOIN)
    list(GET ARG_JOIN 0 joined_name)
    list(GET ARG_JOIN 1 folder)
    file(GLOB joined_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.sh)
  endif()
  get_target_property(type drover_${layer} TYPE)
  if(NOT files OR type STREQUAL "INTERFACE_LIBRARY")
    return()
  endif()
  set(output ${CMAKE_BINARY_DIR}/embed/${layer}_embedded.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DLAYER=${layer} -DROOT=${CMAKE_SOURCE_DIR}/src/${layer} -DOUTPUT=${output}
            "-DFILES=${files}" "-DJOINED_NAME=${joined_name}" "-DJOINED_FILES=${joined_files}"
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${files} ${joined_files} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
  target_sources(drover_${layer} PRIVATE ${output})
endfunction()
